package io.lorica.model;

import java.util.Arrays;
import java.util.stream.LongStream;

/**
 * Which rows of a call are tokens of images, see {@link Pass#visual}.
 *
 * @param places ascending, from 0
 * @param count rows of the call
 */
public record VisualRows(long[] places, int count) {

    public boolean none() {
        return places.length == 0;
    }

    public boolean all() {
        return places.length == count;
    }

    /** The rows of language, ascending. */
    public long[] others() {
        return LongStream.range(0, count)
                .filter(row -> Arrays.binarySearch(places, row) < 0)
                .toArray();
    }

    /** Those of the rows from {@code first} on, numbered anew from there. */
    public VisualRows part(int first, int rows) {
        return new VisualRows(
                Arrays.stream(places)
                        .map(place -> place - first)
                        .filter(place -> place >= 0 && place < rows)
                        .toArray(),
                rows);
    }
}
