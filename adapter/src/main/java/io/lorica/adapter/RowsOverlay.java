package io.lorica.adapter;

import io.lorica.model.Embedding;
import io.lorica.model.FeedForward;
import io.lorica.model.Linear;
import io.lorica.model.Pass;
import io.lorica.model.Site;
import io.lorica.model.VisualRows;
import io.lorica.tensor.Scope;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * Computes a site for rows of several adapters with gradients: {@code Y = X W^T + b} once for the whole batch, then for each
 * range of rows what its adapters add (m-LoRA's and MoE-PEFT's batch of several adapters in training; ASPEN, 2023, section
 * 3). No value or gradient crosses from one range to another.
 *
 * <p>It holds no state: which rows belong to whom comes with the call, as {@link Ranges}. Calls without them compute the base.
 */
public final class RowsOverlay implements Linear.Overlay, Embedding.Overlay, FeedForward.Overlay {

    /** What the adapters of some rows do, by the place where they do it; nothing elsewhere. */
    public record Adapters(
            Map<Site, ? extends RowAdapter> sites, Map<FeedForward, ? extends FeedForward.Overlay> blocks) {}

    /**
     * Whose rows they are.
     *
     * @param pass of these rows: their dropout, their facts
     */
    public record Owner(Adapters adapters, Pass pass) {}

    /** All rows of a call, range by range. */
    public record Ranges(RowRanges<Owner> ranges) implements Pass.Facts {

        private boolean anyAt(Site site) {
            return ranges.all().stream()
                    .anyMatch(range -> range.owner().adapters().sites().containsKey(site));
        }

        private boolean anyAt(FeedForward block) {
            return ranges.all().stream()
                    .anyMatch(range -> range.owner().adapters().blocks().containsKey(block));
        }
    }

    private RowsOverlay() {}

    /** Puts one on every place where any of these adapters acts. */
    public static void attach(Collection<Adapters> all) {
        RowsOverlay overlay = new RowsOverlay();
        for (Adapters adapters : all) {
            for (Site site : adapters.sites().keySet()) {
                switch (site) {
                    case Linear linear -> linear.attach(overlay);
                    case Embedding embedding -> embedding.attach(overlay);
                }
            }
            adapters.blocks().keySet().forEach(block -> block.attach(overlay));
        }
    }

    public static void detach(Collection<Adapters> all) {
        for (Adapters adapters : all) {
            adapters.sites().keySet().forEach(Site::detachOverlay);
            adapters.blocks().keySet().forEach(FeedForward::detachOverlay);
        }
    }

    @Override
    public Tensor forward(Linear site, Tensor x, Pass pass) {
        Tensor known = pass.known() == null ? null : pass.known().product(site, x);
        return adapt(site, x, known == null ? site.base(x) : known, pass);
    }

    @Override
    public Tensor forward(Embedding site, Tensor ids, Pass pass) {
        return adapt(site, ids, site.base(ids), pass);
    }

    private static Tensor adapt(Site site, Tensor x, Tensor base, Pass pass) {
        if (!(pass.facts() instanceof Ranges told) || !told.anyAt(site)) {
            return base;
        }
        try (Scope scope = Scope.open()) {
            List<RowRanges.Range<Owner>> ranges = told.ranges().over(x.size(0), site.name());
            List<Tensor> inputs = split(x, ranges);
            List<Tensor> outputs = split(base, ranges);
            List<Tensor> adapted = new ArrayList<>();
            for (int i = 0; i < ranges.size(); i++) {
                RowRanges.Range<Owner> range = ranges.get(i);
                @Nullable RowAdapter adapter = range.owner().adapters().sites().get(site);
                adapted.add(
                        adapter == null
                                ? outputs.get(i)
                                : adapter.adapt(inputs.get(i), outputs.get(i), own(range, pass, ranges.size())));
            }
            return scope.keep(joined(adapted));
        }
    }

    /**
     * Adapters of whole blocks compute on their rows alone, the other rows go through the block's sites as ever. What all
     * begin with, the frozen products of gate and up, is computed once for all rows.
     */
    @Override
    public Tensor forward(FeedForward block, Tensor x, Pass pass) {
        if (!(pass.facts() instanceof Ranges told) || !told.anyAt(block)) {
            return block.plain(x, pass);
        }
        try (Scope scope = Scope.open()) {
            List<RowRanges.Range<Owner>> ranges = told.ranges().over(x.size(0), block.name());
            List<Tensor> inputs = split(x, ranges);
            List<Tensor> outputs = new ArrayList<>();
            boolean together =
                    ranges.size() > 1 && block.gate().overlaid() && block.up().overlaid();
            List<Tensor> gates = together ? split(block.gate().base(x), ranges) : List.of();
            List<Tensor> ups = together ? split(block.up().base(x), ranges) : List.of();
            for (int i = 0; i < ranges.size(); i++) {
                RowRanges.Range<Owner> range = ranges.get(i);
                Pass own = own(range, pass, ranges.size());
                if (together) {
                    own = own.knowing(new Begun(block, inputs.get(i), gates.get(i), ups.get(i)));
                }
                FeedForward.@Nullable Overlay adapter =
                        range.owner().adapters().blocks().get(block);
                outputs.add(
                        adapter == null
                                ? block.plain(
                                        inputs.get(i),
                                        own.with(new Ranges(RowRanges.only(range.count(), range.owner()))))
                                : adapter.forward(block, inputs.get(i), own));
            }
            return scope.keep(joined(outputs));
        }
    }

    /** What a range's rows of a block begin with. */
    private record Begun(FeedForward block, Tensor input, Tensor gate, Tensor up) implements Pass.Known {
        @Override
        @SuppressWarnings("ReferenceEquality") // an input that was changed on the way is another one
        public @Nullable Tensor product(Linear site, Tensor x) {
            if (x != input) {
                return null;
            }
            return site == block.gate() ? gate : site == block.up() ? up : null;
        }
    }

    /** A range's own pass, which is told which of its rows are of images. */
    private static Pass own(RowRanges.Range<Owner> range, Pass pass, int ranges) {
        VisualRows visual = pass.visual();
        return range.owner()
                .pass()
                .seeing(visual == null || ranges == 1 ? visual : visual.part(range.from(), range.count()));
    }

    private static List<Tensor> split(Tensor rows, List<RowRanges.Range<Owner>> ranges) {
        if (ranges.size() == 1) {
            return List.of(rows);
        }
        long[] counts = ranges.stream().mapToLong(RowRanges.Range::count).toArray();
        // Its gradient is put together once; those of narrow() would be whole matrices of zeros, one by one.
        TensorVector parts = torch.split(rows, counts, 0);
        return List.of(parts.get());
    }

    private static Tensor joined(List<Tensor> parts) {
        return parts.size() == 1 ? parts.getFirst() : torch.cat(new TensorVector(parts.toArray(Tensor[]::new)), 0);
    }
}
