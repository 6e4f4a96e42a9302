package io.lorica.train.data;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.lorica.tensor.LoricaException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.Locale;
import java.util.Optional;
import java.util.zip.GZIPInputStream;

/** Finds the place and the reason when a data file cannot be read: DuckDB's streaming errors hold neither. */
final class BrokenFile {
    static final ObjectMapper JSON = JsonMapper.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private BrokenFile() {}

    static LoricaException.BadInput explain(Path file, Layout layout, SQLException failure) {
        if (layout instanceof Layout.Json json && json.lines()) {
            Optional<LoricaException.BadInput> line = brokenLine(file);
            if (line.isPresent()) {
                return line.get();
            }
        }
        return new LoricaException.BadInput(
                file + " cannot be read: " + firstLines(reasonOf(file, layout, failure)) + "; mend the file", failure);
    }

    /** The same query without streaming, which tells why it fails. */
    private static String reasonOf(Path file, Layout layout, SQLException failure) {
        String sql = "SELECT sum(length(row)) FROM (" + DuckDb.query(file, layout) + ")";
        try (Connection connection = DuckDb.connect(false);
                PreparedStatement statement = DuckDb.prepare(connection, sql, file);
                var _ = statement.executeQuery()) {
            return String.valueOf(failure.getMessage());
        } catch (SQLException e) {
            return String.valueOf(e.getMessage());
        }
    }

    /** What a person needs of DuckDB's message: not its advice about SQL options. */
    private static String firstLines(String message) {
        String useful = message.lines()
                .takeWhile(line -> !line.startsWith("Possible") && !line.startsWith("LINE 1") && !line.isBlank())
                .map(String::strip)
                .reduce((left, right) -> left + "; " + right)
                .orElse(message);
        return useful.replaceFirst("^(Invalid Input|Conversion|IO|Binder) Error: ", "");
    }

    private static Optional<LoricaException.BadInput> brokenLine(Path file) {
        long number = 0;
        try (BufferedReader reader = open(file)) {
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                number++;
                if (!line.isBlank()) {
                    JSON.readTree(line);
                }
            }
            return Optional.empty();
        } catch (JsonProcessingException e) {
            return Optional.of(new LoricaException.BadInput(
                    file + ", line " + number + ": not JSON (" + reason(e) + "); mend the line", e));
        } catch (CharacterCodingException e) {
            return Optional.of(
                    new LoricaException.BadInput(file + ", after line " + number + ": not UTF-8; convert the file", e));
        } catch (IOException e) {
            throw new LoricaException.Internal(file + " cannot be read: " + e.getMessage(), e);
        }
    }

    /** The line that holds a row of a JSONL file: blank lines hold none. */
    static Optional<Long> lineOfRow(Path file, long row) {
        long number = 0;
        long rows = 0;
        try (BufferedReader reader = open(file)) {
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                number++;
                rows += line.isBlank() ? 0 : 1;
                if (rows == row) {
                    return Optional.of(number);
                }
            }
            return Optional.empty();
        } catch (IOException e) {
            throw new LoricaException.Internal(file + " cannot be read: " + e.getMessage(), e);
        }
    }

    static String reason(JsonProcessingException e) {
        String column =
                e.getLocation() == null ? "" : ", column " + e.getLocation().getColumnNr();
        return e.getOriginalMessage().lines().findFirst().orElse("malformed") + column;
    }

    static BufferedReader open(Path file) throws IOException {
        boolean packed = file.toString().toLowerCase(Locale.ROOT).endsWith(".gz");
        var bytes = packed ? new GZIPInputStream(Files.newInputStream(file)) : Files.newInputStream(file);
        return new BufferedReader(new InputStreamReader(bytes, StandardCharsets.UTF_8.newDecoder()));
    }
}
