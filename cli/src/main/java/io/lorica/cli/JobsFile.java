package io.lorica.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.Options;
import io.lorica.tensor.LoricaException;
import io.lorica.train.FineTune;
import io.lorica.train.JobGroup;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/**
 * The YAML file of {@code lorica train --jobs}: {@code model}, {@code defaults} (settings of every job), {@code jobs} (a list,
 * each with {@code name}, perhaps {@code start_after}, and settings of its own, which stand before the defaults), {@code
 * pass_tokens} and {@code lanes}. Settings are those of {@code lorica train}.
 */
record JobsFile(List<JobGroup.Job> jobs, JobGroup.Sharing sharing) {

    /** @param resume whether jobs with a checkpoint go on from it */
    static JobsFile read(Path file, boolean resume) {
        Options options = new Options(Settings.read(file, List.of()), file.toString());
        String model = options.text("model", "");
        JobGroup.Sharing sharing = new JobGroup.Sharing(
                options.integer("pass_tokens", JobGroup.PASS_TOKENS, 1, Integer.MAX_VALUE),
                options.integer("lanes", 0, 0, 1 << 10));
        JsonNode defaults = options.take("defaults").orElse(null);
        JsonNode list = options.take("jobs").orElse(null);
        options.refuseUnknown();
        if (model.isEmpty() || list == null || !list.isArray() || list.isEmpty()) {
            throw new LoricaException.BadInput(
                    file + ": needs 'model' and a list 'jobs', each with 'name', 'data', 'out' and its settings");
        }
        if (defaults != null && !defaults.isObject()) {
            throw new LoricaException.BadInput(file + ": 'defaults' is " + defaults + ", but must hold settings");
        }
        List<JobGroup.Job> jobs = new ArrayList<>();
        for (int i = 0; i < list.size(); i++) {
            if (!(list.get(i) instanceof ObjectNode own)) {
                throw new LoricaException.BadInput(
                        file + ": jobs[" + i + "] is " + list.get(i) + ", but must hold settings");
            }
            ObjectNode settings = defaults == null ? own.objectNode() : ((ObjectNode) defaults).deepCopy();
            settings.setAll(own);
            jobs.add(job(Settings.numbers(settings), model, file + ": jobs[" + i + "]", resume));
        }
        return new JobsFile(jobs, sharing);
    }

    private static JobGroup.Job job(ObjectNode settings, String model, String where, boolean resume) {
        Options options = new Options(settings, where);
        String name = options.text("name", "");
        int startAfter = options.integer("start_after", 0, 0, Integer.MAX_VALUE);
        if (name.isBlank()) {
            throw new LoricaException.BadInput(where + ": 'name' is missing; give the job a name");
        }
        if (settings.has("model")) {
            throw new LoricaException.BadInput(
                    where + ": 'model' is given for this job, but jobs share one base; give it once, above 'jobs'");
        }
        settings.remove(List.of("name", "start_after"));
        settings.put("model", model);
        FineTune.Spec spec = RunSettings.spec(settings, where, true, false);
        Path out = Objects.requireNonNull(spec.out());
        return new JobGroup.Job(name, spec.withResume(resume && FineTune.resumable(out)), startAfter);
    }
}
