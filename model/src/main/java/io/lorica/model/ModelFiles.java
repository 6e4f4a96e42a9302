package io.lorica.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.TensorSource;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** What a model is stored in, before it is loaded, with names and configuration as Hugging Face has them. */
public sealed interface ModelFiles permits HuggingFaceFiles, GgufModel {

    /** Reads the configuration of a Hugging Face directory or a GGUF file; the weights stay where they are. */
    static ModelFiles open(Path path) {
        return Files.isDirectory(path) ? HuggingFaceFiles.read(path) : GgufModel.read(path);
    }

    Path path();

    /** {@code config.json}, or its equal made from GGUF metadata. */
    ModelConfig config();

    /** Opens the weights under their Hugging Face names; the caller closes them. */
    TensorSource tensors();

    /** @throws io.lorica.tensor.LoricaException.NotFound if the files hold none */
    Tokenizer tokenizer();

    /** {@code generation_config.json}: end tokens and the like; empty where nothing is said. */
    ObjectNode generation();

    /** Whether the files hold a template that turns a conversation into text. */
    boolean hasChatTemplate();

    /** What the files themselves say of their licence. */
    Optional<String> licence();

    /** Writes the tokenizer's files into an existing directory; nothing where there is no tokenizer. */
    void writeTokenizer(Path directory);
}
