package io.lorica.train.data;

import io.lorica.model.Batch;
import java.util.ArrayList;
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
 * @param media what its image tokens, or those of a recording, stand for; null for text alone
 * @param others the same row read otherwise, at other rates of compression; as many for each row of a data set
 */
public record Example(
        long[] tokens,
        boolean[] supervised,
        double label,
        long @Nullable [] segments,
        @Nullable Media media,
        List<Example> others) {

    public Example {
        if (tokens.length != supervised.length || (segments != null && segments.length != tokens.length)) {
            throw new IllegalArgumentException(tokens.length + " tokens with " + supervised.length + " marks");
        }
        others = List.copyOf(others);
    }

    public Example(long[] tokens, boolean[] supervised, double label) {
        this(tokens, supervised, label, null, null, List.of());
    }

    /** A text pair. */
    public Example(long[] tokens, boolean[] supervised, double label, long @Nullable [] segments) {
        this(tokens, supervised, label, segments, null, List.of());
    }

    /** A sequence for next-token training. */
    public static Example ofTokens(long[] tokens, boolean[] supervised) {
        return new Example(tokens, supervised, Double.NaN);
    }

    /** The same tokens with what they stand for. */
    Example with(@Nullable Media what) {
        return new Example(tokens, supervised, label, segments, what, others);
    }

    /** The same with its other readings. */
    Example with(List<Example> otherwise) {
        return new Example(tokens, supervised, label, segments, media, otherwise);
    }

    /** The examples as they are, then each list of them read otherwise. What is learned is the mean over all. */
    public static List<List<Example>> readings(List<Example> examples) {
        List<List<Example>> readings = new ArrayList<>();
        readings.add(examples);
        int more = examples.isEmpty() ? 0 : examples.getFirst().others.size();
        for (int i = 0; i < more; i++) {
            int reading = i;
            readings.add(examples.stream()
                    .map(example -> example.others.get(reading))
                    .toList());
        }
        return readings;
    }

    /** The first {@code length} tokens, of each reading. */
    Example shortened(int length) {
        if (length >= tokens.length) {
            return this;
        }
        return new Example(
                Arrays.copyOf(tokens, length),
                Arrays.copyOf(supervised, length),
                label,
                segments == null ? null : Arrays.copyOf(segments, length),
                media,
                others.stream().map(other -> other.shortened(length)).toList());
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
