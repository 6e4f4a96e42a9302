package io.lorica.serve.mix;

import io.lorica.adapter.RowRanges;
import io.lorica.model.Pass;
import io.lorica.model.Site;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Which rows of a call belong to which blend.
 *
 * @param pages where adapters lie; null where each lies in its own memory
 * @param merged weights with the blend of all rows merged in; null where there are none
 */
public record Rows(
        RowRanges<Blend> ranges,
        @Nullable AdapterPages pages,
        @Nullable MergedBlend merged) implements Pass.Facts {

    /**
     * Neighbours with an equal blend become one range.
     *
     * @param counts rows of each sequence
     * @param blends of each sequence
     */
    public static Rows of(
            int[] counts, List<Blend> blends, @Nullable AdapterPages pages, @Nullable MergedBlend merged) {
        return new Rows(RowRanges.joining(counts, blends), pages, merged);
    }

    /** The merged weight of a site; null where it is computed from the base and the adapters. */
    @Nullable
    Tensor merged(Site site) {
        return merged == null ? null : merged.weight(site);
    }

    ServedAdapter.@Nullable Part at(ServedAdapter adapter, Site site) {
        return pages == null ? adapter.at(site) : pages.at(adapter, site);
    }

    /** Only that range, as rows of their own. */
    Rows only(RowRanges.Range<Blend> range) {
        return new Rows(RowRanges.only(range.count(), range.owner()), pages, merged);
    }
}
