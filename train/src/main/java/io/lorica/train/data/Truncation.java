package io.lorica.train.data;

import io.lorica.tensor.LoricaException;
import java.util.Arrays;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * Shortens a text, or a pair of texts, for a classifier: the special tokens that the tokenizer puts around the texts
 * stay, and tokens go one by one from the end of whichever text is longer then (of equal ones from the first), as
 * transformers' {@code longest_first} does.
 */
final class Truncation {
    private final Set<Long> special;

    /** @param special what the tokenizer adds */
    Truncation(Set<Long> special) {
        this.special = special;
    }

    Example to(int length, Example whole) {
        if (whole.length() <= length) {
            return whole;
        }
        boolean[] gone = new boolean[whole.length()];
        int[][] texts = texts(whole.tokens());
        for (int excess = whole.length() - length; excess > 0; excess--) {
            int[] longest = texts[0];
            for (int[] text : texts) {
                longest = text[1] - text[0] > longest[1] - longest[0] ? text : longest;
            }
            if (longest[0] == longest[1]) {
                throw new LoricaException.BadInput(
                        "max_length " + length + " has no room for a text beside the special tokens; raise it");
            }
            gone[--longest[1]] = true;
        }
        int[] kept = IntStream.range(0, whole.length()).filter(i -> !gone[i]).toArray();
        long[] segments = whole.segments();
        return new Example(
                pick(whole.tokens(), kept),
                new boolean[length],
                whole.label(),
                segments == null ? null : pick(segments, kept));
    }

    /** Runs of tokens that are not special, as {@code [from, to)}. */
    private int[][] texts(long[] tokens) {
        int[] borders = IntStream.rangeClosed(-1, tokens.length)
                .filter(i -> i < 0 || i == tokens.length || special.contains(tokens[i]))
                .toArray();
        return IntStream.range(1, borders.length)
                .mapToObj(i -> new int[] {borders[i - 1] + 1, borders[i]})
                .toArray(int[][]::new);
    }

    private static long[] pick(long[] values, int[] indices) {
        return Arrays.stream(indices).mapToLong(i -> values[i]).toArray();
    }
}
