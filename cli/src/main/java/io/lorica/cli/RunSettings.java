package io.lorica.cli;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.AdapterConfig;
import io.lorica.adapter.Methods;
import io.lorica.adapter.Options;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Names;
import io.lorica.train.TrainConfig;
import io.lorica.train.data.DataFormat;
import io.lorica.train.data.Template;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

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
