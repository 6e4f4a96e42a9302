package io.lorica.train.data;

import io.lorica.tensor.Seed;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;

/**
 * A data file as examples.
 *
 * @param hash SHA-256 over the rows as read, in hexadecimal: the same for the same rows in any file format's spelling
 *     of them that keeps order and columns
 * @param labels the classes, for classification; empty for language data
 */
public record DataSet(List<Example> examples, DataFormat format, String hash, Counts counts, Optional<Labels> labels) {

    public DataSet {
        examples = List.copyOf(examples);
    }

    /**
     * What became of the rows.
     *
     * @param truncated examples cut at the longest length
     * @param dropped rows without any target left after the cut
     * @param resplit borders of completions that fell inside a token, see {@link Spans}
     * @param withEnd examples whose last target is an end token
     */
    public record Counts(
            long rows,
            long examples,
            long tokens,
            long targets,
            long truncated,
            long dropped,
            long resplit,
            long withEnd) {}

    /** Two disjoint parts. */
    public record Split(List<Example> train, List<Example> heldOut) {}

    /**
     * Takes {@code count} examples out, drawn by the seed; both parts keep the file's order.
     *
     * @param count at least 0 and less than the number of examples
     */
    public Split split(int count, Seed seed) {
        if (count < 0 || count >= examples.size()) {
            throw new io.lorica.tensor.LoricaException.BadInput("cannot hold out " + count + " of " + examples.size()
                    + " examples; hold out fewer, or name a separate held-out file");
        }
        SplittableRandom random = new SplittableRandom(seed.of("held-out").value());
        List<Example> train = new ArrayList<>();
        List<Example> heldOut = new ArrayList<>();
        int left = examples.size();
        for (Example example : examples) {
            boolean taken = random.nextInt(left--) < count - heldOut.size();
            (taken ? heldOut : train).add(example);
        }
        return new Split(train, heldOut);
    }
}
