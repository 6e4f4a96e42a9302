package io.lorica.train.data;

import org.jspecify.annotations.Nullable;

/**
 * One sequence to learn from.
 *
 * @param tokens {@code [n]} ids
 * @param supervised {@code [n]}: whether token {@code i} is a target, predicted from the tokens before it; never true
 *     for the first. All false for classification
 * @param label a class id or a regression's value; NaN where the tokens themselves are the targets
 * @param segments {@code [n]} token types of a text pair (BERT), or null when all tokens are of one text
 */
public record Example(long[] tokens, boolean[] supervised, double label, long @Nullable [] segments) {

    public Example {
        if (tokens.length != supervised.length || (segments != null && segments.length != tokens.length)) {
            throw new IllegalArgumentException(tokens.length + " tokens with " + supervised.length + " marks");
        }
    }

    public Example(long[] tokens, boolean[] supervised, double label) {
        this(tokens, supervised, label, null);
    }

    /** A sequence for next-token training. */
    public static Example ofTokens(long[] tokens, boolean[] supervised) {
        return new Example(tokens, supervised, Double.NaN, null);
    }

    public int length() {
        return tokens.length;
    }

    /** Number of targets. */
    public int targets() {
        int count = 0;
        for (boolean target : supervised) {
            count += target ? 1 : 0;
        }
        return count;
    }
}
