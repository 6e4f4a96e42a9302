package io.lorica.model;

import ai.djl.huggingface.tokenizers.jni.CharSpan;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.AtomicFile;
import io.lorica.tensor.LoricaException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.SequencedSet;

/**
 * Text to token ids and back, exactly as the {@code tokenizer.json} of Hugging Face says (the Rust library does the
 * work). Truncation and padding that the file may ask for are ignored: callers decide about lengths.
 *
 * <p>Encoding and decoding are safe from several threads; {@link #close()} frees native memory and must come last.
 */
public final class Tokenizer implements AutoCloseable {
    private final TokenizerFiles files;
    private final Vocabulary vocabulary;
    private final NativeTokenizer natives;

    private Tokenizer(TokenizerFiles files) {
        this.files = files;
        vocabulary = Vocabulary.of(files);
        natives = new NativeTokenizer(files.withoutTruncation(), files.where());
    }

    /**
     * Reads {@code tokenizer.json} and, where present, {@code tokenizer_config.json}, {@code special_tokens_map.json},
     * {@code generation_config.json} (end tokens) and {@code chat_template.jinja}.
     */
    public static Tokenizer fromDirectory(Path directory) {
        return new Tokenizer(TokenizerFiles.read(directory));
    }

    /** @param config the content of {@code tokenizer_config.json}; may be empty */
    public static Tokenizer fromJson(String tokenizerJson, ObjectNode config) {
        return new Tokenizer(TokenizerFiles.of(tokenizerJson, config));
    }

    /** @param addSpecialTokens whether the file's template adds its own ({@code <s>}, {@code [CLS]} …) */
    public long[] encode(String text, boolean addSpecialTokens) {
        return natives.encode(wellFormed(text), null, addSpecialTokens).ids();
    }

    /** As {@link #encode}, with the place of each token in the text. */
    public Encoding encodeWithOffsets(String text, boolean addSpecialTokens) {
        String valid = wellFormed(text);
        NativeTokenizer.Encoding encoding = natives.encode(valid, null, addSpecialTokens);
        int[] index = codePointOffsets(valid);
        int[] starts = new int[encoding.ids().length];
        int[] ends = new int[starts.length];
        for (int i = 0; i < starts.length; i++) {
            CharSpan span = encoding.spans()[i];
            if (span != null) {
                starts[i] = index[span.getStart()];
                ends[i] = index[span.getEnd()];
            }
        }
        return new Encoding(encoding.ids(), encoding.typeIds(), starts, ends);
    }

    /** Two texts as one sequence with special tokens, as BERT takes them: segment 0, then segment 1. */
    public Pair encodePair(String first, String second) {
        NativeTokenizer.Encoding encoding = natives.encode(wellFormed(first), wellFormed(second), true);
        return new Pair(encoding.ids(), encoding.typeIds());
    }

    public String decode(long[] ids, boolean skipSpecialTokens) {
        for (long id : ids) {
            vocabulary.check(id);
        }
        return natives.decode(ids, skipSpecialTokens);
    }

    /** Decodes token by token; for text that is shown while it is made. */
    public TokenStream stream(boolean skipSpecialTokens) {
        return new TokenStream(this, skipSpecialTokens);
    }

    public OptionalLong bos() {
        return special("bos_token");
    }

    public OptionalLong eos() {
        return special("eos_token");
    }

    public OptionalLong pad() {
        return special("pad_token");
    }

    public OptionalLong unk() {
        return special("unk_token");
    }

    /** Every id that ends generation: {@code eos_token}, {@code eot_token}, and what {@code generation_config.json} lists. */
    public SequencedSet<Long> endIds() {
        return files.endIds(eos(), special("eot_token"));
    }

    private OptionalLong special(String key) {
        return files.special(key).map(this::id).orElse(OptionalLong.empty());
    }

    public OptionalLong id(String token) {
        return vocabulary.id(token);
    }

    /** The token as the vocabulary spells it (for byte-level vocabularies not readable text). */
    public String token(long id) {
        return vocabulary.token(id);
    }

    /** One more than the largest id. A model's own vocabulary may be larger (padded rows). */
    public int vocabularySize() {
        return vocabulary.size();
    }

    public boolean isSpecial(long id) {
        return vocabulary.isSpecial(id);
    }

    public Optional<ChatTemplate> chatTemplate() {
        return files.chatTemplate().map(source -> new ChatTemplate(source, files.specialTokens(), files.where()));
    }

    /** Writes {@code tokenizer.json} and {@code tokenizer_config.json} as they were read, the chat template included. */
    public void write(Path directory) {
        AtomicFile.writeString(directory.resolve(TokenizerFiles.TOKENIZER), files.tokenizerJson());
        AtomicFile.writeString(directory.resolve(TokenizerFiles.CONFIG), files.configText());
    }

    @Override
    public void close() {
        natives.close();
    }

    /** A lone surrogate is no character and has no UTF-8 form. */
    private static String wellFormed(String text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (Character.isHighSurrogate(c) && i + 1 < text.length() && Character.isLowSurrogate(text.charAt(i + 1))) {
                i++;
            } else if (Character.isSurrogate(c)) {
                throw new LoricaException.BadInput("the text has a lone surrogate \\u" + Integer.toHexString(c)
                        + " at index " + i + ", which is no character; read it as UTF-8");
            }
        }
        return text;
    }

    /** Index into the Java text of each code point, and its length at the end. */
    private static int[] codePointOffsets(String text) {
        int[] index = new int[text.codePointCount(0, text.length()) + 1];
        int at = 0;
        for (int i = 0; i < index.length; i++) {
            index[i] = at;
            at += at < text.length() ? Character.charCount(text.codePointAt(at)) : 0;
        }
        return index;
    }

    /**
     * @param starts first character (UTF-16 index into the text) of each token; 0 for added special tokens
     * @param ends one past the last; 0 for added special tokens. Several tokens may share one character (its bytes)
     */
    public record Encoding(long[] ids, long[] typeIds, int[] starts, int[] ends) {}

    /** @param typeIds 0 for tokens of the first text, 1 for those of the second */
    public record Pair(long[] ids, long[] typeIds) {}
}
