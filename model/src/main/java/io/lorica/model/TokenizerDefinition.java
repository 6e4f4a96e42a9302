package io.lorica.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.AtomicFile;
import java.nio.file.Path;

/**
 * A tokenizer as Hugging Face stores it, made by {@link BpeTrainer} or {@link GgufTokenizer}.
 *
 * @param tokenizerJson the content of {@code tokenizer.json}
 * @param config the content of {@code tokenizer_config.json}
 */
public record TokenizerDefinition(String tokenizerJson, ObjectNode config) {

    public Tokenizer load() {
        return Tokenizer.fromJson(tokenizerJson, config);
    }

    /** Writes both files into a directory. */
    public void write(Path directory) {
        AtomicFile.writeString(directory.resolve(TokenizerFiles.TOKENIZER), tokenizerJson);
        AtomicFile.writeString(directory.resolve(TokenizerFiles.CONFIG), config.toPrettyString() + "\n");
    }
}
