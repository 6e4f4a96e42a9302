package io.lorica.train.data;

import io.lorica.model.Tokenizer;
import java.util.Arrays;

/**
 * A text cut at given places into tokens, so that every cut falls between two tokens.
 *
 * <p>The text is encoded as a whole. At each cut the part before it is encoded too and must be a prefix of the tokens of
 * the whole; where it is not (a merge runs across the cut), the text is split there: that is what the model meets when a
 * prompt ends at the cut.
 */
final class Spans {
    private final Tokenizer tokenizer;
    private final String text;
    private int base;
    private long[] done = new long[0];
    private long[] rest;
    private int resplit;
    private boolean special;

    Spans(Tokenizer tokenizer, String text, boolean addSpecialTokens) {
        this.tokenizer = tokenizer;
        this.text = text;
        special = addSpecialTokens;
        rest = tokenizer.encode(text, addSpecialTokens);
    }

    /** The number of tokens before the character {@code cut}. Cuts come in rising order. */
    int cut(int cut) {
        long[] before = tokenizer.encode(text.substring(base, cut), special);
        if (before.length <= rest.length && Arrays.equals(before, 0, before.length, rest, 0, before.length)) {
            return done.length + before.length;
        }
        done = concat(done, before);
        base = cut;
        special = false;
        rest = tokenizer.encode(text.substring(cut), false);
        resplit++;
        return done.length;
    }

    long[] tokens() {
        return concat(done, rest);
    }

    int resplit() {
        return resplit;
    }

    static long[] concat(long[] left, long... right) {
        long[] all = Arrays.copyOf(left, left.length + right.length);
        System.arraycopy(right, 0, all, left.length, right.length);
        return all;
    }
}
