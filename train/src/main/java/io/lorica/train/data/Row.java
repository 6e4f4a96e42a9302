package io.lorica.train.data;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.LoricaException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * One row of a data file.
 *
 * @param rows the file it came from
 * @param number 1 for the first row, headers and blank lines not counted
 * @param values by column
 */
public record Row(Rows rows, long number, ObjectNode values) implements Attached {

    /** File and row, and for line-wise files the line, as error messages name it. */
    public String where() {
        return rows.where(number);
    }

    /** Names of the columns that hold something. */
    public List<String> columns() {
        List<String> names = new ArrayList<>();
        values.fieldNames().forEachRemaining(names::add);
        return names;
    }

    /**
     * The text of a column; numbers and truth values as they print.
     *
     * @throws LoricaException.BadInput when the column is missing, null, or holds a list or an object
     */
    public String text(String column) {
        JsonNode value = required(column);
        if (value.isContainerNode()) {
            throw bad("column '" + column + "' holds " + kind(value) + ", but text is needed");
        }
        return value.asText();
    }

    /** As {@link #text}, but empty when the column is missing or null. */
    public String textOrEmpty(String column) {
        JsonNode value = values.get(column);
        return value == null || value.isNull() ? "" : text(column);
    }

    /** From the data file's folder. A column holds a path or a list of them; where it is missing or null there are none. */
    @Override
    public List<Path> files(String... columns) {
        Path data = rows.file().toAbsolutePath();
        return Arrays.stream(columns)
                .flatMap(column -> paths(column).stream())
                .map(data::resolveSibling)
                .toList();
    }

    private List<String> paths(String column) {
        JsonNode value = values.path(column);
        if (value.isMissingNode() || value.isNull()) {
            return List.of();
        }
        List<String> texts = new ArrayList<>();
        for (JsonNode text : value.isArray() ? value : List.of(value)) {
            if (!text.isTextual()) {
                throw bad("column '" + column + "' must be a path or a list of paths, but holds " + kind(text));
            }
            texts.add(text.asText());
        }
        return texts;
    }

    /** The value of a column, which must be there and not null. */
    public JsonNode required(String column) {
        JsonNode value = values.get(column);
        if (value == null) {
            throw bad("column '" + column + "' is missing (the row has " + columns() + ")");
        }
        if (value.isNull()) {
            throw bad("column '" + column + "' is null");
        }
        return value;
    }

    /** An error that names this row. */
    @Override
    public LoricaException.BadInput bad(String what) {
        return new LoricaException.BadInput(where() + ": " + what + "; mend the row or leave it out");
    }

    static String kind(JsonNode value) {
        return switch (value.getNodeType()) {
            case ARRAY -> "a list";
            case OBJECT, POJO -> "an object";
            case STRING -> "the text \"" + shorten(value.asText()) + "\"";
            case NULL, MISSING -> "null";
            default -> "the value " + value;
        };
    }

    private static String shorten(String text) {
        return text.length() <= 40 ? text : text.substring(0, 40) + "…";
    }
}
