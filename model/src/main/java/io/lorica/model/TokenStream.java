package io.lorica.model;

import java.util.Arrays;

/**
 * Decodes tokens as they come, and gives out only whole characters: a character whose bytes are spread over several
 * tokens appears with the last of them. The pieces joined are the text of all tokens decoded together.
 */
public final class TokenStream {
    private static final char REPLACEMENT = '\uFFFD';

    private final Tokenizer tokenizer;
    private final boolean skipSpecialTokens;
    private long[] window = new long[0]; // tokens since the last-but-one piece: decoders look at their neighbours
    private int shown; // how many of them have been given out

    TokenStream(Tokenizer tokenizer, boolean skipSpecialTokens) {
        this.tokenizer = tokenizer;
        this.skipSpecialTokens = skipSpecialTokens;
    }

    /** @return the text that this token completes; often empty */
    public String add(long id) {
        window = Arrays.copyOf(window, window.length + 1);
        window[window.length - 1] = id;
        return emit(false);
    }

    /** @return what was still held back: the replacement character for bytes that never became a character */
    public String finish() {
        return emit(true);
    }

    private String emit(boolean all) {
        String before = tokenizer.decode(Arrays.copyOf(window, shown), skipSpecialTokens);
        String text = tokenizer.decode(window, skipSpecialTokens);
        if (text.length() <= before.length() || (!all && text.charAt(text.length() - 1) == REPLACEMENT)) {
            return "";
        }
        window = Arrays.copyOfRange(window, shown, window.length);
        shown = window.length;
        return text.substring(before.length());
    }
}
