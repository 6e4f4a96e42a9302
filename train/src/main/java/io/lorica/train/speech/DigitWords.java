package io.lorica.train.speech;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.AtomicFile;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The words of the small model, as files of a tokenizer: the ten digits, parted by spaces, and tags that no text uses. */
final class DigitWords {
    private static final List<String> TAGS = List.of("<audio>", "</audio>", "<video>", "</video>", "<recording>");

    private DigitWords() {}

    /** Into a model's directory. */
    static void write(Path directory) {
        AtomicFile.writeString(directory.resolve("tokenizer.json"), tokenizer().toPrettyString() + "\n");
        ObjectNode config = JsonNodeFactory.instance.objectNode();
        config.put("bos_token", word(SpeechSizes.START)).put("eos_token", word(SpeechSizes.END));
        AtomicFile.writeString(directory.resolve("tokenizer_config.json"), config.toPrettyString() + "\n");
    }

    private static String word(int id) {
        return words().get(id);
    }

    private static List<String> words() {
        List<String> words = new ArrayList<>(List.of("<s>", "</s>"));
        for (int digit = 0; digit < 10; digit++) {
            words.add(Integer.toString(digit));
        }
        words.addAll(TAGS);
        return words;
    }

    /** Hugging Face's format: words between spaces, {@code <s>} before them. Another word is {@code <recording>}, which fails. */
    private static ObjectNode tokenizer() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("version", "1.0").putNull("truncation").putNull("padding");
        List<String> words = words();
        var added = json.putArray("added_tokens");
        for (int id = 0; id < words.size(); id++) {
            if (words.get(id).startsWith("<")) {
                added.addObject()
                        .put("id", id)
                        .put("content", words.get(id))
                        .put("single_word", false)
                        .put("lstrip", false)
                        .put("rstrip", false)
                        .put("normalized", false)
                        .put("special", true);
            }
        }
        json.putNull("normalizer").putObject("pre_tokenizer").put("type", "WhitespaceSplit");
        ObjectNode template = json.putObject("post_processor").put("type", "TemplateProcessing");
        var single = template.putArray("single");
        single.addObject().putObject("SpecialToken").put("id", "<s>").put("type_id", 0);
        single.addObject().putObject("Sequence").put("id", "A").put("type_id", 0);
        var pair = template.putArray("pair");
        pair.addObject().putObject("Sequence").put("id", "A").put("type_id", 0);
        pair.addObject().putObject("Sequence").put("id", "B").put("type_id", 1);
        ObjectNode start = template.putObject("special_tokens").putObject("<s>").put("id", "<s>");
        start.putArray("ids").add(SpeechSizes.START);
        start.putArray("tokens").add("<s>");
        ObjectNode model = json.putNull("decoder").putObject("model").put("type", "WordLevel");
        ObjectNode vocabulary = model.putObject("vocab");
        for (int id = 0; id < words.size(); id++) {
            vocabulary.put(words.get(id), id);
        }
        model.put("unk_token", "<recording>");
        return json;
    }
}
