package io.lorica.cli;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.AdapterConfig;
import io.lorica.adapter.Methods;
import io.lorica.adapter.Options;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Names;
import io.lorica.train.FineTune;
import io.lorica.train.TrainConfig;
import io.lorica.train.data.DataFormat;
import io.lorica.train.data.Template;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * All settings of a fine-tuning run, sorted out of one flat object: keys of training as transformers spells them, keys of
 * data, and keys of the method and the adapter as PEFT spells them. A key that none of them knows is refused.
 *
 * @param heldOut examples taken out of the data for the held-out loss, -1 for the default
 * @param adapter what is left for the method
 */
record RunSettings(
        TrainConfig training, Template template, Map<String, String> columns, int heldOut, ObjectNode adapter) {

    /**
     * @param method name of the method
     * @param where the file or command line, for messages
     */
    static RunSettings parse(String method, ObjectNode settings, String where) {
        Options options = new Options(settings, where);
        Methods.named(method).trainingDefaults().forEach(options::otherwise);
        TrainConfig training = TrainConfig.parse(options);
        Template template = Template.parse(options.text("template", "auto"));
        int heldOut = options.integer("held_out", -1, -1, Integer.MAX_VALUE);
        Map<String, String> columns = new LinkedHashMap<>();
        for (String column : DataFormat.SETTINGS) {
            String value = options.text(column, "");
            if (!value.isEmpty()) {
                columns.put(column, value);
            }
        }
        ObjectNode rest = settings.deepCopy().remove(options.known());
        refuseUnknown(method, rest, options.known(), where);
        AdapterConfig.of(method, rest);
        return new RunSettings(training, template, columns, heldOut, rest);
    }

    /**
     * A whole job: beside those of {@link #parse} the keys model, data, eval_data, method, adapter and out, which the
     * settings lose.
     *
     * @param runs whether the job is to run and so needs a directory
     */
    static FineTune.Spec spec(ObjectNode settings, String where, boolean runs, boolean resume) {
        String model = required(settings, "model", where);
        String data = required(settings, "data", where);
        String heldOut = Settings.take(settings, "eval_data");
        String name = Settings.take(settings, "method");
        String start = Settings.take(settings, "adapter");
        String out = runs ? required(settings, "out", where) : null;
        settings.remove("out");
        Path from = start == null ? null : Path.of(start);
        String method = from == null ? name == null ? "lora" : name : methodOf(from, name);
        RunSettings run = parse(method, settings, where);
        if (from != null && !run.adapter().isEmpty()) {
            String keys =
                    run.adapter().properties().stream().map(Map.Entry::getKey).collect(Collectors.joining(", "));
            throw new LoricaException.BadInput("the adapter " + from + " keeps its own " + keys
                    + "; leave that out, or leave --adapter out for a fresh one");
        }
        return new FineTune.Spec(
                model,
                Path.of(data),
                heldOut == null ? null : Path.of(heldOut),
                run.heldOut(),
                method,
                run.adapter(),
                from,
                run.training(),
                run.template(),
                run.columns(),
                out == null ? null : Path.of(out),
                resume);
    }

    private static String required(ObjectNode settings, String key, String where) {
        String value = Settings.take(settings, key);
        if (value == null) {
            throw new LoricaException.BadInput(
                    where + ": '" + key + "' is missing; give the key there, or --" + key + " for a single job");
        }
        return value;
    }

    /** @param wanted method the user named; null for none */
    private static String methodOf(Path adapter, @Nullable String wanted) {
        String own = AdapterConfig.read(adapter).method().info().name();
        if (wanted != null && !wanted.equals(own)) {
            throw new LoricaException.BadInput("the adapter " + adapter + " is one of method '" + own + "', not '"
                    + wanted + "'; leave --method out, or leave --adapter out for a fresh one");
        }
        return own;
    }

    /** The method would refuse them too, but only here is it known that a key of training may have been meant. */
    private static void refuseUnknown(String method, ObjectNode rest, Set<String> trainingKeys, String where) {
        Set<String> known = new TreeSet<>(trainingKeys);
        AdapterConfig.of(method, JsonNodeFactory.instance.objectNode())
                .toJson()
                .fieldNames()
                .forEachRemaining(known::add);
        List<String> unknown = new ArrayList<>();
        rest.fieldNames().forEachRemaining(key -> {
            if (!known.contains(key)) {
                unknown.add("'" + key + "'" + Names.didYouMean(key, known));
            }
        });
        if (!unknown.isEmpty()) {
            throw new LoricaException.BadInput(where + ": unknown key " + String.join(", ", unknown) + " (known: "
                    + String.join(", ", known) + ")");
        }
    }
}
