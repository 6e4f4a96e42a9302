package io.lorica.adapter;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import io.lorica.model.Tokenizer;
import io.lorica.tensor.AtomicFile;
import io.lorica.tensor.Hashing;
import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * Where an adapter comes from, in {@code lorica.json} beside it. Adapters that PEFT wrote have none, and then nothing
 * is checked, and said so.
 *
 * @param loricaVersion who wrote it
 * @param method as given to {@code --method}
 * @param base reference of the base, for people
 * @param baseFingerprint the base's weights, for certainty
 * @param dataSha256 hash of the training data; null where there was none
 * @param seed of the run
 * @param chatTemplateSha256 hash of the chat template's text; null where none was used
 * @param eosTokenIds tokens that end an answer
 * @param padTokenId null where the tokenizer has none
 * @param labels a classifier's labels by id, empty for a regression; null for a language model
 */
public record Provenance(
        @JsonProperty("lorica_version") String loricaVersion,
        @JsonProperty("method") String method,
        @JsonProperty("base") @Nullable String base,
        @JsonProperty("base_fingerprint") Fingerprint baseFingerprint,
        @JsonProperty("data_sha256") @Nullable String dataSha256,
        @JsonProperty("seed") long seed,
        @JsonProperty("chat_template_sha256") @Nullable String chatTemplateSha256,
        @JsonProperty("eos_token_ids") List<Long> eosTokenIds,
        @JsonProperty("pad_token_id") @Nullable Long padTokenId,
        @JsonProperty("labels") @Nullable List<String> labels) {

    public static final String FILE = "lorica.json";

    private static final ObjectMapper JSON = new ObjectMapper()
            .enable(SerializationFeature.INDENT_OUTPUT)
            .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES);

    public Provenance {
        eosTokenIds = List.copyOf(eosTokenIds);
        labels = labels == null ? null : List.copyOf(labels);
    }

    public void write(Path directory) {
        try {
            AtomicFile.writeString(directory.resolve(FILE), JSON.writeValueAsString(this) + "\n");
        } catch (JsonProcessingException e) {
            throw new LoricaException.Internal("cannot write " + FILE + ": " + e.getMessage(), e);
        }
    }

    /** Reads {@code lorica.json}; empty where the adapter has none. */
    public static Optional<Provenance> read(Path directory) {
        Path file = directory.resolve(FILE);
        if (!Files.isRegularFile(file)) {
            return Optional.empty();
        }
        try {
            return Optional.of(JSON.readValue(file.toFile(), Provenance.class));
        } catch (IOException e) {
            throw new LoricaException.BadInput(
                    file + ": cannot be read: " + e.getClass().getSimpleName() + "; restore the file");
        }
    }

    /** @throws LoricaException.Incompatible where the adapter was trained on other weights */
    public void requireBase(Fingerprint found, String where) {
        if (!found.equals(baseFingerprint)) {
            throw new LoricaException.Incompatible(where + ": the adapter was trained on weights " + baseFingerprint
                    + (base == null ? "" : " (" + base + ")") + ", but this base has weights " + found
                    + "; load it on that base (a quantized or merged copy is another one)");
        }
    }

    /**
     * How text becomes tokens, and ends.
     *
     * @param chatTemplateSha256 hash of the chat template's text; null where there is none
     * @param eosTokenIds tokens that end an answer
     * @param padTokenId null where the tokenizer has none
     */
    public record Text(
            @Nullable String chatTemplateSha256,
            List<Long> eosTokenIds,
            @Nullable Long padTokenId) {
        public static Text of(Tokenizer tokenizer) {
            OptionalLong pad = tokenizer.pad();
            return new Text(
                    tokenizer
                            .chatTemplate()
                            .map(template -> Hashing.sha256(template.source()))
                            .orElse(null),
                    List.copyOf(tokenizer.endIds()),
                    pad.isPresent() ? pad.getAsLong() : null);
        }
    }

    /**
     * @throws LoricaException.Incompatible where text would be cut into tokens or ended in another way than in
     *     training, with all that differs
     */
    public void requireText(Text found, String where) {
        List<String> faults = new ArrayList<>();
        if (!Objects.equals(found.chatTemplateSha256, chatTemplateSha256)) {
            faults.add("chat template " + found.chatTemplateSha256 + " instead of " + chatTemplateSha256);
        }
        if (!found.eosTokenIds.equals(eosTokenIds)) {
            faults.add("end tokens " + found.eosTokenIds + " instead of " + eosTokenIds);
        }
        if (!Objects.equals(found.padTokenId, padTokenId)) {
            faults.add("padding token " + found.padTokenId + " instead of " + padTokenId);
        }
        if (!faults.isEmpty()) {
            throw new LoricaException.Incompatible(where + ": the adapter was trained with another tokenizer set-up: "
                    + String.join(", ", faults) + "; use the tokenizer it was trained with");
        }
    }
}
