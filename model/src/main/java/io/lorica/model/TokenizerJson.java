package io.lorica.model;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Writes the parts of a {@code tokenizer.json}. */
final class TokenizerJson {
    private static final ObjectMapper JSON = new ObjectMapper();

    private TokenizerJson() {}

    static ObjectNode emptyObject() {
        return JSON.createObjectNode();
    }

    static ObjectNode typed(String type) {
        return emptyObject().put("type", type);
    }

    static ArrayNode list(List<ObjectNode> nodes) {
        return JSON.createArrayNode().addAll(nodes);
    }

    /** A tokenizer without normalizer and post-processor; those keys may be set on the result. */
    static ObjectNode document(
            List<ObjectNode> addedTokens, ObjectNode preTokenizer, ObjectNode decoder, ObjectNode model) {
        ObjectNode root = emptyObject().put("version", "1.0");
        root.putNull("truncation").putNull("padding");
        root.set("added_tokens", list(addedTokens));
        root.putNull("normalizer");
        root.set("pre_tokenizer", preTokenizer);
        root.putNull("post_processor");
        root.set("decoder", decoder);
        root.set("model", model);
        return root;
    }

    static ObjectNode addedToken(int id, String content, boolean special) {
        return emptyObject()
                .put("id", id)
                .put("content", content)
                .put("single_word", false)
                .put("lstrip", false)
                .put("rstrip", false)
                .put("normalized", false)
                .put("special", special);
    }

    /** @param merges each {@code "left right"}, best first */
    static ObjectNode bpe(Map<String, Integer> vocabulary, List<String> merges, @Nullable String unknown) {
        ObjectNode model = typed("BPE").putNull("dropout").put("unk_token", unknown);
        model.putNull("continuing_subword_prefix").putNull("end_of_word_suffix");
        model.put("fuse_unk", false).put("byte_fallback", false).put("ignore_merges", false);
        ObjectNode vocab = model.putObject("vocab");
        vocabulary.forEach(vocab::put);
        ArrayNode list = model.putArray("merges");
        merges.forEach(list::add);
        return model;
    }

    static ObjectNode byteLevel(boolean useRegex) {
        return typed("ByteLevel")
                .put("add_prefix_space", false)
                .put("trim_offsets", true)
                .put("use_regex", useRegex);
    }
}
