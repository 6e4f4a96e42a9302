package io.lorica.adapter;

import io.lorica.tensor.LoricaException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.bytedeco.pytorch.Tensor;

/**
 * Which rows of a call belong to whom: ranges one after another, from row 0 without gaps. So say the jobs that are trained
 * together, the requests that a server answers together, and the ranks that share a server's model.
 *
 * @param all in the order of their rows, at least one
 */
public record RowRanges<T>(List<Range<T>> all) {

    /** {@code count} rows from {@code from}. */
    public record Range<T>(int from, int count, T owner) {

        /** A view of its rows. */
        public Tensor of(Tensor rows) {
            return rows.narrow(0, from, count);
        }
    }

    public RowRanges {
        all = List.copyOf(all);
    }

    /** All rows, however many, of one. */
    public static <T> RowRanges<T> only(int count, T owner) {
        return new RowRanges<>(List.of(new Range<>(0, count, owner)));
    }

    /** Neighbours with an equal owner become one range. */
    public static <T> RowRanges<T> joining(int[] counts, List<T> owners) {
        List<Range<T>> ranges = new ArrayList<>();
        for (int i = 0; i < counts.length; i++) {
            Range<T> last = ranges.isEmpty() ? null : ranges.getLast();
            if (last != null && last.owner().equals(owners.get(i))) {
                ranges.set(ranges.size() - 1, new Range<>(last.from(), last.count() + counts[i], last.owner()));
            } else {
                ranges.add(new Range<>(last == null ? 0 : last.from() + last.count(), counts[i], owners.get(i)));
            }
        }
        return new RowRanges<>(ranges);
    }

    /** The same rows, told otherwise. */
    public <U> RowRanges<U> map(Function<T, U> owner) {
        return new RowRanges<>(all.stream()
                .map(range -> new Range<>(range.from(), range.count(), owner.apply(range.owner())))
                .toList());
    }

    /**
     * The ranges of a tensor of so many rows. Where all rows have one owner it does not matter how many they are: routed
     * experts hand their visitors to the base's maps, in an order of their own.
     *
     * @throws LoricaException.Internal where there are others than the call says
     */
    public List<Range<T>> over(long count, String where) {
        Range<T> last = all.getLast();
        if (all.size() == 1) {
            return List.of(new Range<>(0, (int) count, last.owner()));
        }
        if (last.from() + last.count() != count) {
            throw new LoricaException.Internal("the call says which adapters " + (last.from() + last.count())
                    + " rows have, but " + where + " computes " + count);
        }
        return all;
    }
}
