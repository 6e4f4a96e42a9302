package io.lorica.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Names;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** The splits into words that GGUF files name, as the {@code tokenizer.json} of the model family states them. */
enum GgufPreTokenizer {
    GPT2("gpt-2"),
    SMOLLM("smollm"),
    LLAMA_BPE("llama-bpe"),
    QWEN2("qwen2");

    /** Llama 3 and Qwen2 differ only in how many digits stand together. */
    private static final String WORDS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|%s"
            + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

    private final String key;

    GgufPreTokenizer(String key) {
        this.key = key;
    }

    static GgufPreTokenizer named(String name, String where) {
        List<String> known = Arrays.stream(values()).map(pre -> pre.key).toList();
        return Arrays.stream(values())
                .filter(pre -> pre.key.equals(name))
                .findFirst()
                .orElseThrow(() -> new LoricaException.Unsupported(where + ": tokenizer.ggml.pre '" + name
                        + "' is not supported (known: " + String.join(", ", known) + ")" + Names.didYouMean(name, known)
                        + "; put the model's tokenizer.json beside the weights"));
    }

    ObjectNode preTokenizer() {
        return switch (this) {
            case GPT2 -> TokenizerJson.byteLevel(true);
            case SMOLLM ->
                sequence(TokenizerJson.typed("Digits").put("individual_digits", true), TokenizerJson.byteLevel(true));
            case LLAMA_BPE -> sequence(split(WORDS.formatted("\\p{N}{1,3}")), TokenizerJson.byteLevel(false));
            case QWEN2 -> sequence(split(WORDS.formatted("\\p{N}")), TokenizerJson.byteLevel(false));
        };
    }

    Optional<ObjectNode> normalizer() {
        return this == QWEN2 ? Optional.of(TokenizerJson.typed("NFC")) : Optional.empty();
    }

    /** Whether a word that is in the vocabulary is one token even where no merges lead to it. */
    boolean ignoreMerges() {
        return this == LLAMA_BPE;
    }

    /** Whether texts begin with the bos token where the file does not say. */
    boolean addsBos() {
        return this == LLAMA_BPE;
    }

    private static ObjectNode sequence(ObjectNode... parts) {
        ObjectNode node = TokenizerJson.typed("Sequence");
        node.set("pretokenizers", TokenizerJson.list(List.of(parts)));
        return node;
    }

    private static ObjectNode split(String regex) {
        ObjectNode node = TokenizerJson.typed("Split");
        node.putObject("pattern").put("Regex", regex);
        return node.put("behavior", "Isolated").put("invert", false);
    }
}
