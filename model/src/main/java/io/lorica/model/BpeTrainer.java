package io.lorica.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.LoricaException;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Learns a byte-level byte-pair encoding: starting from the 256 bytes, the pair of neighbouring tokens that is most
 * frequent within words becomes a token, until the vocabulary is full. Any text can be encoded, and decodes to itself.
 *
 * <p>Sources: Sennrich, Haddow and Birch, Neural Machine Translation of Rare Words with Subword Units, 2016, section
 * 3.2; the split into words is that of GPT-2. Words and ties are treated as the trainer of Hugging Face tokenizers does
 * it (equal counts: the pair of smaller ids first), so that both learn the same merges.
 *
 * @param vocabularySize tokens in all, the special ones and the 256 bytes included
 * @param minFrequency a pair that occurs less often is not merged; then the vocabulary stays smaller
 */
public record BpeTrainer(int vocabularySize, int minFrequency) {
    /** Beginning and end of a text; id 0. */
    public static final String END_OF_TEXT = "<|endoftext|>";
    /** Opens a turn of a chat; id 1. */
    public static final String TURN_START = "<|im_start|>";
    /** Closes a turn of a chat; id 2. */
    public static final String TURN_END = "<|im_end|>";
    /** Fills batches; id 3. */
    public static final String PAD = "<|pad|>";

    private static final List<String> SPECIAL = List.of(END_OF_TEXT, TURN_START, TURN_END, PAD);
    private static final String CHAT_ML = "{% for message in messages %}"
            + "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
            + "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

    public BpeTrainer {
        if (vocabularySize < SPECIAL.size() + 256) {
            throw new LoricaException.BadInput("a byte-level vocabulary of " + vocabularySize
                    + " tokens has no room for the 256 bytes and " + SPECIAL.size()
                    + " special tokens; ask for at least "
                    + (SPECIAL.size() + 256));
        }
    }

    /** Merges pairs that occur at least twice. */
    public static BpeTrainer of(int vocabularySize) {
        return new BpeTrainer(vocabularySize, 2);
    }

    /** @param texts any pieces of text, for example lines; words do not cross their borders */
    public TokenizerDefinition train(Stream<String> texts) {
        Map<String, Integer> vocabulary = new LinkedHashMap<>();
        SPECIAL.forEach(token -> vocabulary.put(token, vocabulary.size()));
        IntStream.range(0, 256)
                .map(ByteAlphabet::of)
                .sorted()
                .forEach(c -> vocabulary.put(Character.toString(c), vocabulary.size()));
        BpeMerges merges = new BpeMerges(vocabulary, words(texts));
        return definition(vocabulary, merges.learn(vocabularySize, minFrequency));
    }

    private static Map<String, Integer> words(Stream<String> texts) {
        Map<String, Integer> words = new HashMap<>();
        texts.sequential().forEach(text -> {
            Matcher matcher = ByteAlphabet.WORDS.matcher(text);
            while (matcher.find()) {
                words.merge(matcher.group(), 1, Integer::sum);
            }
        });
        Map<String, Integer> spelled = new HashMap<>();
        words.forEach((word, count) -> spelled.put(ByteAlphabet.spell(word), count));
        return spelled;
    }

    private static TokenizerDefinition definition(Map<String, Integer> vocabulary, List<String> merges) {
        List<ObjectNode> added = IntStream.range(0, SPECIAL.size())
                .mapToObj(id -> TokenizerJson.addedToken(id, SPECIAL.get(id), true))
                .toList();
        ObjectNode document = TokenizerJson.document(
                added,
                TokenizerJson.byteLevel(true),
                TokenizerJson.byteLevel(true),
                TokenizerJson.bpe(vocabulary, merges, null));
        ObjectNode config = TokenizerJson.emptyObject()
                .put("tokenizer_class", "PreTrainedTokenizerFast")
                .put("bos_token", END_OF_TEXT)
                .put("eos_token", END_OF_TEXT)
                .put("unk_token", END_OF_TEXT)
                .put("pad_token", PAD)
                .put("clean_up_tokenization_spaces", false)
                .put("chat_template", CHAT_ML);
        return new TokenizerDefinition(document.toPrettyString() + "\n", config);
    }
}
