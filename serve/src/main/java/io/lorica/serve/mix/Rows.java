package io.lorica.serve.mix;

import io.lorica.model.Pass;
import java.util.ArrayList;
import java.util.List;

/** Which rows of a call belong to which blend: ranges one after another, from row 0 without gaps. */
public record Rows(List<Range> ranges) implements Pass.Facts {

    /** {@code count} rows from {@code from}. */
    public record Range(int from, int count, Blend blend) {}

    public Rows {
        ranges = List.copyOf(ranges);
    }

    /**
     * Neighbours with an equal blend become one range.
     *
     * @param counts rows of each sequence
     * @param blends of each sequence
     */
    public static Rows of(int[] counts, List<Blend> blends) {
        List<Range> ranges = new ArrayList<>();
        int from = 0;
        for (int i = 0; i < counts.length; i++) {
            Range last = ranges.isEmpty() ? null : ranges.getLast();
            if (last != null && last.blend().equals(blends.get(i))) {
                ranges.set(ranges.size() - 1, new Range(last.from(), last.count() + counts[i], last.blend()));
            } else {
                ranges.add(new Range(from, counts[i], blends.get(i)));
            }
            from += counts[i];
        }
        return new Rows(ranges);
    }
}
