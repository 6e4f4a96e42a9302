package io.lorica.serve.mix;

import io.lorica.model.Pass;
import io.lorica.model.Site;
import io.lorica.tensor.LoricaException;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Which rows of a call belong to which blend: ranges one after another, from row 0 without gaps.
 *
 * @param pages where adapters lie; null where each lies in its own memory
 * @param merged weights with the blend of all rows merged in; null where there are none
 */
public record Rows(
        List<Range> ranges,
        @Nullable AdapterPages pages,
        @Nullable MergedBlend merged) implements Pass.Facts {

    /** {@code count} rows from {@code from}. */
    public record Range(int from, int count, Blend blend) {}

    public Rows {
        ranges = List.copyOf(ranges);
    }

    /** The merged weight of a site; null where it is computed from the base and the adapters. */
    @Nullable
    Tensor merged(Site site) {
        return merged == null ? null : merged.weight(site);
    }

    ServedAdapter.@Nullable Part at(ServedAdapter adapter, Site site) {
        return pages == null ? adapter.at(site) : pages.at(adapter, site);
    }

    /**
     * The ranges of a tensor of so many rows. Where all rows have one blend it does not matter how many they are: routed experts
     * hand their visitors to the base's maps, in an order of their own.
     *
     * @throws LoricaException.Internal where there are others than the call says
     */
    List<Range> over(long count, String where) {
        Range last = ranges.getLast();
        if (ranges.size() == 1) {
            return List.of(new Range(0, (int) count, last.blend()));
        }
        if (last.from() + last.count() != count) {
            throw new LoricaException.Internal("the call says which adapters " + (last.from() + last.count())
                    + " rows have, but " + where + " computes " + count);
        }
        return ranges;
    }

    /** Only that range, as rows of their own. */
    Rows only(Range range) {
        return new Rows(List.of(new Range(0, range.count(), range.blend())), pages, merged);
    }

    /**
     * Neighbours with an equal blend become one range.
     *
     * @param counts rows of each sequence
     * @param blends of each sequence
     */
    public static Rows of(
            int[] counts, List<Blend> blends, @Nullable AdapterPages pages, @Nullable MergedBlend merged) {
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
        return new Rows(ranges, pages, merged);
    }
}
