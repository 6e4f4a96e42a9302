package io.lorica.model;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.TensorFiles;
import io.lorica.tensor.TensorSource;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A model directory as transformers writes it. */
record HuggingFaceFiles(Path path, ModelConfig config, ObjectNode generation) implements ModelFiles {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final List<String> TOKENIZER_FILES = List.of(
            "tokenizer.json",
            "tokenizer_config.json",
            "special_tokens_map.json",
            "chat_template.jinja",
            "vocab.json",
            "vocab.txt",
            "merges.txt");
    private static final Pattern LICENCE = Pattern.compile("(?m)\\A---$[\\s\\S]*?^license:\\s*(\\S+)\\s*$");

    static HuggingFaceFiles read(Path directory) {
        Path config = directory.resolve("config.json");
        Path generation = directory.resolve("generation_config.json");
        return new HuggingFaceFiles(
                directory,
                new ModelConfig(object(config), config.toString()),
                Files.exists(generation) ? object(generation) : JSON.createObjectNode());
    }

    private static ObjectNode object(Path file) {
        try {
            if (JSON.readTree(Files.readString(file)) instanceof ObjectNode object) {
                return object;
            }
            throw new LoricaException.BadInput(file + " is not a JSON object; mend the file or fetch it again");
        } catch (JsonProcessingException e) {
            throw new LoricaException.BadInput(
                    file + " is not valid JSON: " + e.getOriginalMessage() + "; mend the file or fetch it again", e);
        } catch (IOException e) {
            throw new LoricaException.BadInput("cannot read " + file + ": " + e + "; check the directory", e);
        }
    }

    @Override
    public TensorSource tensors() {
        return TensorFiles.openModel(path);
    }

    @Override
    public Tokenizer tokenizer() {
        return Tokenizer.fromDirectory(path);
    }

    @Override
    public boolean hasChatTemplate() {
        Path config = path.resolve("tokenizer_config.json");
        return Files.exists(path.resolve("chat_template.jinja"))
                || (Files.exists(config) && object(config).hasNonNull("chat_template"));
    }

    /** From the front matter of the model card, where one lies beside the weights. */
    @Override
    public Optional<String> licence() {
        Path card = path.resolve("README.md");
        try {
            if (!Files.exists(card)) {
                return Optional.empty();
            }
            Matcher matcher = LICENCE.matcher(Files.readString(card));
            return matcher.find() ? Optional.of(matcher.group(1)) : Optional.empty();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void writeTokenizer(Path directory) {
        try {
            for (String file : TOKENIZER_FILES) {
                if (Files.exists(path.resolve(file))) {
                    Files.copy(path.resolve(file), directory.resolve(file), StandardCopyOption.REPLACE_EXISTING);
                }
            }
        } catch (IOException e) {
            throw new LoricaException.Internal("cannot copy the tokenizer to " + directory + ": " + e, e);
        }
    }
}
