package io.lorica.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.model.ModelStore;
import io.lorica.train.FineTune;
import io.lorica.train.JobGroup;
import io.lorica.train.TrainListener;
import io.lorica.train.Trainer;
import io.lorica.train.report.Table;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** {@code lorica train --jobs}: several adapters at once on one base. */
final class TrainJobs {
    private final Console console;
    private final boolean json;

    TrainJobs(Console console, boolean json) {
        this.console = console;
        this.json = json;
    }

    int run(Path file, boolean resume) {
        JobsFile jobs = JobsFile.read(file, resume);
        List<JobGroup.Job> waiting =
                jobs.jobs().stream().filter(job -> !resume || !ended(job)).toList();
        if (waiting.isEmpty()) {
            console.note("every job has ended already");
            return 0;
        }
        try (Board board = new Board(console);
                FetchProgress fetch = new FetchProgress(console);
                JobGroup group = JobGroup.prepare(waiting, jobs.sharing(), ModelStore.standard(fetch), board::of);
                Interrupt _ = new Interrupt(group::stop, console)) {
            group.tasks().forEach(this::describe);
            List<JobGroup.Result> results = group.run();
            board.done();
            report(results);
            return results.stream().allMatch(TrainJobs::whole) ? 0 : 1;
        }
    }

    /** Whether an earlier run wrote the job's adapter. */
    private static boolean ended(JobGroup.Job job) {
        return Files.exists(Objects.requireNonNull(job.spec().out()).resolve("run.json"));
    }

    private static boolean whole(JobGroup.Result result) {
        return result.outcome() != null && !result.outcome().interrupted();
    }

    private void describe(String name, FineTune task) {
        console.note("%s: %s, %d examples, %s trained parameters"
                .formatted(
                        name,
                        task.adapter().config().method().info().name(),
                        task.split().train().size(),
                        Units.count(task.adapter().parameterCount())));
    }

    private void report(List<JobGroup.Result> results) {
        if (json) {
            ArrayNode all = new ObjectMapper().createArrayNode();
            results.forEach(result -> all.add(object(result)));
            console.json(all);
            return;
        }
        Table table = new Table("job", "steps", "held-out before", "after", "train loss", "state");
        for (JobGroup.Result result : results) {
            Trainer.@Nullable Outcome outcome = result.outcome();
            if (outcome == null) {
                table.row(result.job().name(), "", "", "", "", "failed");
            } else {
                table.row(
                        result.job().name(),
                        outcome.steps(),
                        number(outcome.lossBefore()),
                        number(outcome.lossAfter()),
                        number(outcome.lastTrainLoss()),
                        outcome.interrupted()
                                ? "stopped; go on with --resume"
                                : String.valueOf(result.job().spec().out()));
            }
        }
        console.print(table.text());
        for (JobGroup.Result result : results) {
            if (result.failure() != null) {
                console.note("job '" + result.job().name() + "' failed: "
                        + result.failure().getMessage());
            }
        }
    }

    private static ObjectNode object(JobGroup.Result result) {
        ObjectNode object = new ObjectMapper().createObjectNode();
        object.put("job", result.job().name());
        object.put("adapter", String.valueOf(result.job().spec().out()));
        Trainer.@Nullable Outcome outcome = result.outcome();
        if (outcome != null) {
            object.put("steps", outcome.steps());
            object.set("loss_before", TrainCommand.finite(outcome.lossBefore()));
            object.set("loss_after", TrainCommand.finite(outcome.lossAfter()));
            object.put("tokens", outcome.tokens());
            object.put("seconds", outcome.seconds());
            object.put("interrupted", outcome.interrupted());
        }
        if (result.failure() != null) {
            object.put("error", result.failure().getMessage());
        }
        return object;
    }

    private static String number(double value) {
        return Double.isNaN(value) ? "-" : String.format(Locale.ROOT, "%.4f", value);
    }

    /** One bar for all jobs, with the newest loss of each. Jobs may tell of themselves from several threads. */
    private static final class Board implements AutoCloseable {
        private final Console console;
        private final Map<String, Double> losses = new LinkedHashMap<>();
        private final Map<String, Long> totals = new LinkedHashMap<>();
        private long steps;
        private @Nullable Progress progress;

        Board(Console console) {
            this.console = console;
        }

        TrainListener of(String job) {
            return new TrainListener() {
                @Override
                public void started(long totalSteps, long firstStep) {
                    begin(job, totalSteps - firstStep);
                }

                @Override
                public void step(Step step) {
                    advance(job, step.loss());
                }

                @Override
                public void evaluated(long step, double loss) {
                    console.note("%s: held-out loss %.4f after step %d".formatted(job, loss, step));
                }

                @Override
                public void saved(Path checkpoint) {
                    console.note(job + ": checkpoint " + checkpoint);
                }
            };
        }

        private synchronized void begin(String job, long steps) {
            totals.put(job, steps);
            done();
            long all = totals.values().stream().mapToLong(Long::longValue).sum();
            progress = new Progress(console, "train", all, "steps", 1);
        }

        private synchronized void advance(String job, double loss) {
            losses.put(job, loss);
            if (progress != null) {
                progress.at(++steps, text());
            }
        }

        private String text() {
            StringBuilder text = new StringBuilder();
            losses.forEach((job, loss) -> text.append("%s %.3f  ".formatted(job, loss)));
            return text.toString().strip();
        }

        /** Takes the bar off the terminal, so that lines may follow. */
        synchronized void done() {
            if (progress != null) {
                progress.close();
            }
            progress = null;
        }

        @Override
        public void close() {
            done();
        }
    }
}
