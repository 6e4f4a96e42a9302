package io.lorica.model;

import com.fasterxml.jackson.databind.JsonNode;
import io.lorica.tensor.LoricaException;
import java.util.Optional;

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
