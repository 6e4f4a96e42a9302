package io.lorica.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.lorica.tensor.LoricaException;
import java.io.PrintStream;

/**
 * Where a command writes: results to one stream, everything else to the other.
 *
 * @param out results, and nothing else when {@code --json} is given
 * @param err progress, warnings, errors
 */
record Console(PrintStream out, PrintStream err) {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** A line of the result. */
    void print(String line) {
        out.println(line);
    }

    /** A line that is not the result. */
    void note(String line) {
        err.println(line);
    }

    /** The result as one JSON document on one line. */
    void json(JsonNode document) {
        try {
            out.println(JSON.writeValueAsString(document));
        } catch (JsonProcessingException e) {
            throw new LoricaException.Internal("cannot write the result as JSON: " + e.getMessage(), e);
        }
    }

    /** Whether a person watches the second stream, so that lines may be drawn over; the launcher knows. */
    static boolean isTerminal() {
        return Boolean.getBoolean("lorica.terminal");
    }
}
