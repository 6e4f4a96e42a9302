package io.lorica.adapter;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Names;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
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
        this.json = json.deepCopy();
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

    /** A list of texts, or one text; empty when absent. */
    public List<String> strings(String key) {
        JsonNode node = take(key).orElse(null);
        List<String> values = new ArrayList<>();
        if (node == null) {
            return values;
        }
        for (JsonNode entry : node.isArray() ? node : List.of(node)) {
            if (!entry.isTextual()) {
                throw wrong(key, node, "a text or a list of texts");
            }
            values.add(entry.textValue());
        }
        return values;
    }

    /** A list of whole numbers, or one; empty when absent. */
    public List<Integer> integers(String key) {
        JsonNode node = take(key).orElse(null);
        List<Integer> values = new ArrayList<>();
        if (node == null) {
            return values;
        }
        for (JsonNode entry : node.isArray() ? node : List.of(node)) {
            if (!entry.isIntegralNumber() || !entry.canConvertToInt() || entry.intValue() < 0) {
                throw wrong(key, node, "a whole number from 0, or a list of them");
            }
            values.add(entry.intValue());
        }
        return values;
    }

    /** Numbers by name; empty when absent. */
    public SequencedMap<String, Double> numbers(String key, double min, double max) {
        JsonNode node = take(key).orElse(null);
        SequencedMap<String, Double> values = new LinkedHashMap<>();
        if (node == null) {
            return values;
        }
        if (!node.isObject()) {
            throw wrong(key, node, "an object of numbers");
        }
        for (Map.Entry<String, JsonNode> entry : node.properties()) {
            JsonNode value = entry.getValue();
            if (!value.isNumber() || !(value.doubleValue() >= min && value.doubleValue() <= max)) {
                throw wrong(key + "." + entry.getKey(), value, "a number from " + min + " to " + max);
            }
            values.put(entry.getKey(), value.doubleValue());
        }
        return values;
    }

    /**
     * Takes a key that Lorica does not implement, and refuses every value but those that change nothing: absent, null,
     * false, empty.
     *
     * @param why what another value would ask for
     */
    public void harmlessOnlyWhenEmpty(String key, String why) {
        JsonNode node = take(key).orElse(null);
        boolean empty = node == null
                || (node.isBoolean() && !node.booleanValue())
                || (node.isContainerNode() && node.isEmpty());
        if (!empty) {
            throw new LoricaException.Unsupported(where + ": key '" + key + "' is " + node + ", which asks for " + why
                    + "; Lorica does not do that, and ignoring it would change results");
        }
    }

    /**
     * Fixes a key for a method that is a special case of another: absent means {@code value}.
     *
     * @throws LoricaException.BadInput where the settings say otherwise
     */
    public void preset(String key, JsonNode value, String method) {
        JsonNode given = json.get(key);
        if (given != null && !given.isNull() && !given.equals(value)) {
            throw new LoricaException.BadInput(where + ": key '" + key + "' is " + given + ", but method '" + method
                    + "' means " + value + "; leave the key out, or choose method 'lora'");
        }
        json.set(key, value);
    }

    /** What absent means, in the place of the usual default. */
    public void otherwise(String key, JsonNode value) {
        if (!json.hasNonNull(key)) {
            json.set(key, value);
        }
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

    /** Every key that anybody asked for so far. */
    public Set<String> known() {
        return Collections.unmodifiableSet(known);
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
