package io.lorica.train.data;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * The rows of a JSONL, JSON, CSV, TSV, Parquet or text file, in the file's order.
 *
 * <p>DuckDB reads, row by row and out of core: a file larger than memory is fine. Each {@link #forEach} reads the file
 * anew.
 */
public final class Rows {
    private final Path file;
    private final Layout layout;

    private Rows(Path file, Layout layout) {
        this.file = file;
        this.layout = layout;
    }

    /** A file whose name's ending says what it is. */
    public static Rows of(Path file) {
        return of(file, Layout.of(file));
    }

    /**
     * @throws LoricaException.NotFound when there is no such file
     * @throws LoricaException.BadInput when it is a directory
     */
    public static Rows of(Path file, Layout layout) {
        if (!Files.exists(file)) {
            throw new LoricaException.NotFound("there is no data file " + file.toAbsolutePath() + "; check the path");
        }
        if (!Files.isRegularFile(file)) {
            throw new LoricaException.BadInput(file + " is not a regular file; name one data file");
        }
        return new Rows(file, layout);
    }

    public Path file() {
        return file;
    }

    /** Receives a row; throwing ends the reading. */
    @FunctionalInterface
    public interface Visitor {
        void row(Row row);
    }

    /**
     * Reads every row.
     *
     * @return how many there were
     * @throws LoricaException.BadInput when the file is broken; the message holds the line or row and the reason
     */
    public long forEach(Visitor visitor) {
        return read(row -> {
            visitor.row(row);
            return true;
        });
    }

    /** The first row; empty when the file has none. */
    public Optional<Row> first() {
        Row[] found = new Row[1];
        read(row -> {
            found[0] = row;
            return false;
        });
        return Optional.ofNullable(found[0]);
    }

    private long read(Predicate<Row> visitor) {
        if (layout instanceof Layout.PlainText) {
            ObjectNode values = JsonNodeFactory.instance.objectNode().put("text", wholeText());
            boolean _ = visitor.test(new Row(this, 1, values));
            return 1;
        }
        if (empty()) {
            return 0;
        }
        long number = 0;
        try (Connection connection = DuckDb.connect(true);
                PreparedStatement statement = DuckDb.prepare(connection, DuckDb.query(file, layout), file);
                ResultSet results = statement.executeQuery()) {
            while (results.next()) {
                if (!visitor.test(new Row(this, ++number, parse(results.getString(1), number)))) {
                    break;
                }
            }
            return number;
        } catch (SQLException e) {
            throw BrokenFile.explain(file, layout, e);
        }
    }

    private boolean empty() {
        try {
            return Files.size(file) == 0;
        } catch (IOException e) {
            throw new LoricaException.Internal(file + " cannot be read: " + e.getMessage(), e);
        }
    }

    private String wholeText() {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new LoricaException.BadInput(
                    file + " cannot be read as UTF-8 text (" + e + "); convert it to UTF-8", e);
        }
    }

    private ObjectNode parse(String json, long number) {
        try {
            JsonNode node = BrokenFile.JSON.readTree(json);
            if (node instanceof ObjectNode object) {
                return object;
            }
            throw new LoricaException.BadInput(where(number) + ": the row is " + Row.kind(node)
                    + ", but must be a JSON object such as {\"text\": \"…\"}; mend the line");
        } catch (JsonProcessingException e) {
            throw new LoricaException.BadInput(
                    where(number) + ": not JSON (" + BrokenFile.reason(e) + "); mend the line", e);
        }
    }

    /** File and row, and the line where rows are lines. */
    String where(long number) {
        String row = file + ", row " + number;
        if (layout instanceof Layout.Json json && json.lines()) {
            return BrokenFile.lineOfRow(file, number)
                    .map(line -> file + ", line " + line)
                    .orElse(row);
        }
        return row;
    }
}
