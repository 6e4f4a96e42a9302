package io.lorica.adapter;

import io.lorica.model.Embedding;
import io.lorica.model.FeedForward;
import io.lorica.model.Linear;
import io.lorica.model.Pass;
import io.lorica.model.Site;
import io.lorica.model.VisualRows;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import java.util.ArrayList;
import java.util.Arrays;
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
     * Rows that belong together.
     *
     * @param count how many follow those of the range before
     * @param pass of these rows: their dropout, their facts
     */
    public record Range(int count, Adapters adapters, Pass pass) {}

    /** All rows of a call, range by range. A single range has all rows, however many they are. */
    public record Ranges(List<Range> ranges) implements Pass.Facts {
        public Ranges {
            ranges = List.copyOf(ranges);
        }

        public static Ranges of(Range range) {
            return new Ranges(List.of(range));
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
        if (!(pass.facts() instanceof Ranges all)
                || all.ranges().stream()
                        .noneMatch(range -> range.adapters().sites().containsKey(site))) {
            return base;
        }
        try (Scope scope = Scope.open()) {
            List<Tensor> inputs = split(x, all, site.name());
            List<Tensor> outputs = split(base, all, site.name());
            List<Tensor> adapted = new ArrayList<>();
            List<Pass> passes = passes(all, pass);
            for (int i = 0; i < inputs.size(); i++) {
                Range range = all.ranges().get(i);
                @Nullable RowAdapter adapter = range.adapters().sites().get(site);
                adapted.add(
                        adapter == null ? outputs.get(i) : adapter.adapt(inputs.get(i), outputs.get(i), passes.get(i)));
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
        if (!(pass.facts() instanceof Ranges all)
                || all.ranges().stream()
                        .noneMatch(range -> range.adapters().blocks().containsKey(block))) {
            return block.plain(x, pass);
        }
        try (Scope scope = Scope.open()) {
            List<Tensor> inputs = split(x, all, block.name());
            List<Tensor> outputs = new ArrayList<>();
            List<Pass> passes = passes(all, pass);
            boolean together =
                    inputs.size() > 1 && block.gate().overlaid() && block.up().overlaid();
            List<Tensor> gates = together ? split(block.gate().base(x), all, block.name()) : List.of();
            List<Tensor> ups = together ? split(block.up().base(x), all, block.name()) : List.of();
            for (int i = 0; i < inputs.size(); i++) {
                Range range = all.ranges().get(i);
                Pass own = together
                        ? passes.get(i).knowing(new Begun(block, inputs.get(i), gates.get(i), ups.get(i)))
                        : passes.get(i);
                FeedForward.@Nullable Overlay adapter =
                        range.adapters().blocks().get(block);
                outputs.add(
                        adapter == null
                                ? block.plain(inputs.get(i), own.with(Ranges.of(range)))
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

    /** Each range's own pass, which is told which of its rows are of images. */
    private static List<Pass> passes(Ranges all, Pass pass) {
        VisualRows visual = pass.visual();
        if (visual == null || all.ranges().size() == 1) {
            return all.ranges().stream()
                    .map(range -> range.pass().seeing(visual))
                    .toList();
        }
        List<Pass> passes = new ArrayList<>();
        int first = 0;
        for (Range range : all.ranges()) {
            passes.add(range.pass().seeing(visual.part(first, range.count())));
            first += range.count();
        }
        return passes;
    }

    private static List<Tensor> split(Tensor rows, Ranges all, String where) {
        if (all.ranges().size() == 1) {
            return List.of(rows);
        }
        long[] counts = all.ranges().stream().mapToLong(Range::count).toArray();
        if (Arrays.stream(counts).sum() != rows.size(0)) {
            throw new LoricaException.Internal("the call says which adapters "
                    + Arrays.stream(counts).sum() + " rows have, but " + where + " computes " + rows.size(0));
        }
        // Its gradient is put together once; those of narrow() would be whole matrices of zeros, one by one.
        TensorVector parts = torch.split(rows, counts, 0);
        return List.of(parts.get());
    }

    private static Tensor joined(List<Tensor> parts) {
        return parts.size() == 1 ? parts.getFirst() : torch.cat(new TensorVector(parts.toArray(Tensor[]::new)), 0);
    }
}
