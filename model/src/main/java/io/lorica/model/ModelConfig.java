package io.lorica.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.LoricaException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * A model's {@code config.json}, read by key with errors that say what was missing or of the wrong kind.
 *
 * @param json the object as Hugging Face writes it
 * @param where the file, for messages
 */
public record ModelConfig(JsonNode json, String where) {

    /** {@code model_type}, the family's name. */
    public String modelType() {
        return text("model_type");
    }

    public int integer(String key) {
        JsonNode node = required(key);
        if (!node.canConvertToInt() || node.isFloat() || node.intValue() < 0) {
            throw wrong(key, node, "a whole number from 0 to 2147483647");
        }
        return node.intValue();
    }

    public int integer(String key, int otherwise) {
        return has(key) ? integer(key) : otherwise;
    }

    public double number(String key, double otherwise) {
        if (!has(key)) {
            return otherwise;
        }
        JsonNode node = required(key);
        if (!node.isNumber()) {
            throw wrong(key, node, "a number");
        }
        return node.doubleValue();
    }

    public boolean flag(String key, boolean otherwise) {
        if (!has(key)) {
            return otherwise;
        }
        JsonNode node = required(key);
        if (!node.isBoolean()) {
            throw wrong(key, node, "true or false");
        }
        return node.booleanValue();
    }

    public String text(String key) {
        JsonNode node = required(key);
        if (!node.isTextual()) {
            throw wrong(key, node, "a text");
        }
        return node.textValue();
    }

    public String text(String key, String otherwise) {
        return has(key) ? text(key) : otherwise;
    }

    /** A nested object, when present and not null. */
    public Optional<ModelConfig> object(String key) {
        if (!has(key)) {
            return Optional.empty();
        }
        JsonNode node = required(key);
        if (!node.isObject()) {
            throw wrong(key, node, "an object");
        }
        return Optional.of(new ModelConfig(node, where + ": " + key));
    }

    /**
     * Scores of the classification head, where the configuration describes a sequence classifier (transformers'
     * {@code …ForSequenceClassification}); 1 is a regression.
     */
    public OptionalInt labels() {
        if (!json.path("architectures").path(0).asText("").endsWith("ForSequenceClassification")) {
            return OptionalInt.empty();
        }
        // transformers writes id2label whenever there are not two labels.
        int labels = object("id2label").map(names -> names.json().size()).orElseGet(() -> integer("num_labels", 2));
        if (labels < 1) {
            throw new LoricaException.BadInput(where + ": a classifier needs at least 1 label in id2label");
        }
        return OptionalInt.of(labels);
    }

    /** Names of the labels by id ({@code id2label}); empty where the configuration names none. */
    public List<String> labelNames() {
        List<String> names = new ArrayList<>();
        object("id2label").ifPresent(map -> {
            for (int id = 0; id < map.json().size(); id++) {
                names.add(map.text(Integer.toString(id)));
            }
        });
        return names;
    }

    /** The same with other names of labels, which are as many as the scores. */
    ModelConfig withLabels(List<String> names) {
        ObjectNode changed = json.deepCopy();
        ObjectNode byId = changed.putObject("id2label");
        ObjectNode byName = changed.putObject("label2id");
        for (int id = 0; id < names.size(); id++) {
            byId.put(Integer.toString(id), names.get(id));
            byName.put(names.get(id), id);
        }
        return new ModelConfig(changed, where);
    }

    public boolean has(String key) {
        return json.hasNonNull(key);
    }

    private JsonNode required(String key) {
        JsonNode node = json.get(key);
        if (node == null || node.isNull()) {
            throw new LoricaException.BadInput(where + ": key '" + key + "' is missing");
        }
        return node;
    }

    private LoricaException.BadInput wrong(String key, JsonNode node, String expected) {
        return new LoricaException.BadInput(where + ": key '" + key + "' is " + node + ", but must be " + expected);
    }
}
