package io.lorica.train.data;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.model.Tokenizer;

/** A byte-level tokenizer of 256 bytes and a few special tokens, made in memory. */
public final class TestTokenizers {
    public static final String CHATML = """
            {% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}{% endfor %}\
            {% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}""";

    private TestTokenizers() {}

    public static Tokenizer plain() {
        return bytes("", "");
    }

    public static Tokenizer chat() {
        return bytes(CHATML, "");
    }

    /** @param merge a merge of two bytes such as {@code "Ċ Ċ"}, or empty */
    public static Tokenizer bytes(String template, String merge) {
        ObjectMapper json = new ObjectMapper();
        ObjectNode root = json.createObjectNode();
        ObjectNode model = root.putObject("model").put("type", "BPE");
        ObjectNode vocabulary = model.putObject("vocab");
        int id = 0;
        for (int value = 0; value < 256; value++) {
            vocabulary.put(spelling(value), id++);
        }
        model.putArray("merges");
        if (!merge.isEmpty()) {
            vocabulary.put(merge.replace(" ", ""), id++);
            model.withArray("merges").add(merge);
        }
        for (String token : new String[] {"<|im_start|>", "<|im_end|>"}) {
            root.withArray("added_tokens")
                    .addObject()
                    .put("id", id++)
                    .put("content", token)
                    .put("special", true)
                    .put("single_word", false)
                    .put("lstrip", false)
                    .put("rstrip", false)
                    .put("normalized", false);
        }
        root.putObject("pre_tokenizer")
                .put("type", "ByteLevel")
                .put("add_prefix_space", false)
                .put("trim_offsets", false)
                .put("use_regex", false);
        root.putObject("decoder")
                .put("type", "ByteLevel")
                .put("add_prefix_space", false)
                .put("trim_offsets", false)
                .put("use_regex", false);
        ObjectNode config = json.createObjectNode().put("eos_token", "<|im_end|>");
        if (!template.isEmpty()) {
            config.put("chat_template", template);
        }
        return Tokenizer.fromJson(root.toString(), config);
    }

    /** GPT-2's printable stand-in for a byte. */
    private static String spelling(int value) {
        boolean printable = (value >= 33 && value <= 126) || (value >= 161 && value != 173);
        if (printable) {
            return String.valueOf((char) value);
        }
        int shift = value < 33 ? value : value < 161 ? value - 127 + 33 : 67;
        return String.valueOf((char) (256 + shift));
    }
}
