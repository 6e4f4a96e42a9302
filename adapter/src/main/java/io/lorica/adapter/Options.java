package io.lorica.adapter;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Names;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Settings read by key, remembering which were taken, so that what nobody asked for is refused and never ignored.
 */
public final class Options {
    private final ObjectNode json;
    private final String where;
    private final Set<String> known = new LinkedHashSet<>();

    /** @param where the file or command line the settings come from, for messages */
    public Options(ObjectNode json, String where) {
        this.json = json;
        this.where = where;
    }

    public String where() {
        return where;
    }

    /** The value, when present and not null. */
    public Optional<JsonNode> take(String key) {
        known.add(key);
        return Optional.ofNullable(json.get(key)).filter(node -> !node.isNull());
    }

    public int integer(String key, int otherwise, int min, int max) {
        JsonNode node = take(key).orElse(null);
        if (node == null) {
            return otherwise;
        }
        if (!node.isIntegralNumber() || !node.canConvertToInt() || node.intValue() < min || node.intValue() > max) {
            throw wrong(key, node, "a whole number from " + min + " to " + max);
        }
        return node.intValue();
    }

    public double number(String key, double otherwise, double min, double max) {
        JsonNode node = take(key).orElse(null);
        if (node == null) {
            return otherwise;
        }
        if (!node.isNumber() || !(node.doubleValue() >= min && node.doubleValue() <= max)) {
            throw wrong(key, node, "a number from " + min + " to " + max);
        }
        return node.doubleValue();
    }

    public boolean flag(String key, boolean otherwise) {
        JsonNode node = take(key).orElse(null);
        if (node == null) {
            return otherwise;
        }
        if (!node.isBoolean()) {
            throw wrong(key, node, "true or false");
        }
        return node.booleanValue();
    }

    public String text(String key, String otherwise) {
        JsonNode node = take(key).orElse(null);
        if (node == null) {
            return otherwise;
        }
        if (!node.isTextual()) {
            throw wrong(key, node, "a text");
        }
        return node.textValue();
    }

    /** One of a few words. */
    public String choice(String key, String otherwise, List<String> choices) {
        String value = text(key, otherwise);
        if (!choices.contains(value)) {
            throw new LoricaException.BadInput(where + ": key '" + key + "' is '" + value + "', but must be one of "
                    + String.join(", ", choices) + Names.didYouMean(value, choices));
        }
        return value;
    }

    /** Refuses every key that nobody took, all at once. */
    public void refuseUnknown() {
        List<String> unknown = new ArrayList<>();
        json.fieldNames().forEachRemaining(key -> {
            if (!known.contains(key)) {
                unknown.add("'" + key + "'" + Names.didYouMean(key, known));
            }
        });
        if (!unknown.isEmpty()) {
            throw new LoricaException.BadInput(where + ": unknown key " + String.join(", ", unknown) + " (known: "
                    + String.join(", ", known) + ")");
        }
    }

    public LoricaException.BadInput wrong(String key, JsonNode value, String expected) {
        return new LoricaException.BadInput(where + ": key '" + key + "' is " + value + ", but must be " + expected);
    }
}
