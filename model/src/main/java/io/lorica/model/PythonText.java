package io.lorica.model;

import com.fasterxml.jackson.core.io.JsonStringEncoder;
import java.util.Collection;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Values as Python writes them: {@code str}, {@code repr} and {@code json.dumps}. */
final class PythonText {
    private PythonText() {}

    static String repr(@Nullable Object value) {
        return switch (value) {
            case null -> "None";
            case Boolean flag -> flag ? "True" : "False";
            case Map<?, ?> map ->
                map.entrySet().stream()
                        .map(entry -> repr(entry.getKey()) + ": " + repr(entry.getValue()))
                        .collect(Collectors.joining(", ", "{", "}"));
            case Collection<?> list -> list.stream().map(PythonText::repr).collect(Collectors.joining(", ", "[", "]"));
            case CharSequence text -> quote(text.toString());
            default -> value.toString();
        };
    }

    private static String quote(String text) {
        char quote = text.contains("'") && !text.contains("\"") ? '"' : '\'';
        String escaped = text.replace("\\", "\\\\")
                .replace("\n", "\\n")
                .replace("\r", "\\r")
                .replace("\t", "\\t");
        return quote + (quote == '\'' ? escaped.replace("'", "\\'") : escaped) + quote;
    }

    /** @param indent blanks for each level; negative for one line */
    static String json(@Nullable Object value, int indent) {
        return json(value, indent, 1);
    }

    private static String json(@Nullable Object value, int indent, int level) {
        return switch (value) {
            case null -> "null";
            case Map<?, ?> map ->
                join(
                        map.entrySet().stream()
                                .map(entry -> string(String.valueOf(entry.getKey())) + ": "
                                        + json(entry.getValue(), indent, level + 1))
                                .toList(),
                        "{}",
                        indent,
                        level);
            case Collection<?> list ->
                join(list.stream().map(item -> json(item, indent, level + 1)).toList(), "[]", indent, level);
            case CharSequence text -> string(text.toString());
            default -> value.toString();
        };
    }

    private static String join(Collection<String> items, String brackets, int indent, int level) {
        boolean lines = indent >= 0 && !items.isEmpty();
        String inner = lines ? "\n" + " ".repeat(indent * level) : "";
        String outer = lines ? "\n" + " ".repeat(indent * (level - 1)) : "";
        return brackets.charAt(0) + inner + String.join(lines ? "," + inner : ", ", items) + outer + brackets.charAt(1);
    }

    private static String string(String text) {
        return "\"" + new String(JsonStringEncoder.getInstance().quoteAsString(text)) + "\"";
    }
}
