package io.lorica.train.compare;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import io.lorica.tensor.AtomicFile;
import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * One method trained with one seed; {@code cell.json} in its run directory, written when all of it is known.
 *
 * @param identity hash of all that decides the outcome; a cell with another one is not taken over
 * @param parameters trained ones
 * @param adapterBytes of the adapter's tensor file
 * @param peakBytes most resident bytes while the cell was prepared and trained; null where the system does not tell
 * @param startSeconds to make the adapter, passes over data included
 * @param tokensPerSecond of training steps, evaluation not counted
 * @param trainLoss mean of the last ten steps
 * @param heldOutLoss of what was saved
 * @param metric null where none was asked for
 */
public record Cell(
        @JsonProperty("method") String method,
        @JsonProperty("seed") long seed,
        @JsonProperty("identity") String identity,
        @JsonProperty("parameters") long parameters,
        @JsonProperty("adapter_bytes") long adapterBytes,
        @JsonProperty("peak_bytes") @Nullable Long peakBytes,
        @JsonProperty("start_seconds") double startSeconds,
        @JsonProperty("tokens_per_second") double tokensPerSecond,
        @JsonProperty("train_loss") double trainLoss,
        @JsonProperty("held_out_loss") double heldOutLoss,
        @JsonProperty("metric") @Nullable Double metric) {

    private static final String FILE = "cell.json";
    private static final ObjectMapper JSON = new ObjectMapper()
            .enable(SerializationFeature.INDENT_OUTPUT)
            .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES);

    void write(Path directory) {
        try {
            AtomicFile.writeString(directory.resolve(FILE), JSON.writeValueAsString(this) + "\n");
        } catch (JsonProcessingException e) {
            throw new LoricaException.Internal("cannot write " + FILE + ": " + e.getMessage(), e);
        }
    }

    /** @throws LoricaException.Incompatible where a cell of another comparison is there */
    static Optional<Cell> read(Path directory, String identity) {
        Path file = directory.resolve(FILE);
        if (!Files.isRegularFile(file)) {
            return Optional.empty();
        }
        try {
            Cell cell = JSON.readValue(file.toFile(), Cell.class);
            if (!cell.identity.equals(identity)) {
                throw new LoricaException.Incompatible(directory
                        + " holds a run with other data or settings; give the settings it was made with, or choose"
                        + " another --out");
            }
            return Optional.of(cell);
        } catch (IOException e) {
            throw new LoricaException.BadInput(file + " cannot be read: " + e.getMessage() + "; remove it", e);
        }
    }
}
