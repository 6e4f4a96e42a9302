package io.lorica.train.data;

import io.lorica.model.Batch;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One sequence to learn from.
 *
 * @param tokens {@code [n]} ids
 * @param supervised {@code [n]}: whether token {@code i} is a target, predicted from the tokens before it; never true
 *     for the first. All false for classification
 * @param label a class id or a regression's value; NaN where the tokens themselves are the targets
 * @param segments {@code [n]} token types of a text pair (BERT), or null when all tokens are of one text
 * @param media the images that its image tokens stand for; null for text alone
 */
public record Example(
        long[] tokens,
        boolean[] supervised,
        double label,
        long @Nullable [] segments,
        @Nullable Media media) {

    public Example {
        if (tokens.length != supervised.length || (segments != null && segments.length != tokens.length)) {
            throw new IllegalArgumentException(tokens.length + " tokens with " + supervised.length + " marks");
        }
    }

    public Example(long[] tokens, boolean[] supervised, double label) {
        this(tokens, supervised, label, null, null);
    }

    /** A text pair. */
    public Example(long[] tokens, boolean[] supervised, double label, long @Nullable [] segments) {
        this(tokens, supervised, label, segments, null);
    }

    /** A sequence for next-token training. */
    public static Example ofTokens(long[] tokens, boolean[] supervised) {
        return new Example(tokens, supervised, Double.NaN, null, null);
    }

    /** The same tokens with what they stand for. */
    Example with(@Nullable Media what) {
        return new Example(tokens, supervised, label, segments, what);
    }

    /** The first {@code length} tokens. */
    Example shortened(int length) {
        return new Example(
                Arrays.copyOf(tokens, length),
                Arrays.copyOf(supervised, length),
                label,
                segments == null ? null : Arrays.copyOf(segments, length),
                media);
    }

    /**
     * The packed tensors of a forward pass, with the token types of text pairs and what media there are; in the caller's
     * innermost scope.
     */
    public static Batch batch(List<Example> examples) {
        Batch batch = Media.add(
                Batch.of(examples.stream().map(Example::tokens).toList()),
                examples.stream().map(Example::media));
        return examples.stream().anyMatch(example -> example.segments != null)
                ? batch.withSegments(examples.stream().map(Example::tokenTypes).toList())
                : batch;
    }

    private long[] tokenTypes() {
        return segments != null ? segments : new long[tokens.length];
    }

    public int length() {
        return tokens.length;
    }

    /** What the example counts for in the loss: its label, or each of its supervised tokens. */
    public int targets() {
        return Double.isNaN(label) ? supervisedTokens() : 1;
    }

    /** Number of tokens that are targets. */
    public int supervisedTokens() {
        int count = 0;
        for (boolean target : supervised) {
            count += target ? 1 : 0;
        }
        return count;
    }
}
