package io.lorica.adapter;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.TextNode;
import io.lorica.tensor.LoricaException;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/** A way to choose modules by name, with PEFT's semantics. */
public sealed interface NameRule {

    boolean matches(String name);

    /** As {@code adapter_config.json} holds it. */
    JsonNode json();

    /** A list in the file: a name matches when it equals an entry or ends with {@code .entry}. */
    record Suffixes(List<String> entries) implements NameRule {
        public Suffixes {
            entries = List.copyOf(entries);
        }

        @Override
        public boolean matches(String name) {
            return entries.stream().anyMatch(entry -> name.equals(entry) || name.endsWith("." + entry));
        }

        @Override
        public JsonNode json() {
            ArrayNode array = JsonNodeFactory.instance.arrayNode();
            entries.forEach(array::add);
            return array;
        }
    }

    /** A string in the file: a regular expression that must match the whole name. */
    record Regex(String text, Pattern pattern) implements NameRule {
        @Override
        public boolean matches(String name) {
            return pattern.matcher(name).matches();
        }

        @Override
        public JsonNode json() {
            return TextNode.valueOf(text);
        }
    }

    /** The string {@code all-linear}: every linear map but the output head (and a classifier's score head). */
    record AllLinear() implements NameRule {
        @Override
        public boolean matches(String name) {
            return true;
        }

        @Override
        public JsonNode json() {
            return TextNode.valueOf("all-linear");
        }
    }

    /** Reads a list or a string. */
    static NameRule parse(JsonNode node, String key, String where) {
        if (node.isTextual() && node.textValue().equalsIgnoreCase("all-linear")) {
            return new AllLinear();
        }
        if (node.isTextual()) {
            return new Regex(node.textValue(), regex(node.textValue(), key, where));
        }
        if (node.isArray()) {
            List<String> entries = new ArrayList<>();
            for (JsonNode entry : node) {
                if (!entry.isTextual()) {
                    throw new LoricaException.BadInput(
                            where + ": key '" + key + "' holds " + entry + ", but must hold only names");
                }
                entries.add(entry.textValue());
            }
            return new Suffixes(entries);
        }
        throw new LoricaException.BadInput(where + ": key '" + key + "' is " + node
                + ", but must be a list of names, a regular expression or \"all-linear\"");
    }

    /** A Python regular expression as a Java one; the two differ in the spelling of named groups. */
    static Pattern regex(String text, String key, String where) {
        try {
            return Pattern.compile(text.replace("(?P<", "(?<"));
        } catch (PatternSyntaxException e) {
            throw new LoricaException.BadInput(where + ": key '" + key + "' holds '" + text
                    + "', which is not a regular expression: " + e.getDescription() + " near position " + e.getIndex());
        }
    }
}
