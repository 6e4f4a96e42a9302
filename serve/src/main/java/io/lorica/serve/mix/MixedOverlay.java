package io.lorica.serve.mix;

import io.lorica.adapter.BlockAdapter;
import io.lorica.adapter.RowRanges;
import io.lorica.model.BaseModel;
import io.lorica.model.Embedding;
import io.lorica.model.FeedForward;
import io.lorica.model.Linear;
import io.lorica.model.Parameter;
import io.lorica.model.Pass;
import io.lorica.model.Site;
import io.lorica.serve.mix.ServedAdapter.Part.Product;
import io.lorica.tensor.Scope;
import io.lorica.tensor.fused.LowRankOp;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * Computes a site for many adapters at once: {@code Y = X W^T + b} once for the whole batch, then for each range of rows
 * what its adapters add. For low-rank products that is the segmented form of S-LoRA's (Sheng et al., 2023) and Punica's
 * (Chen et al., 2023) products, {@code Y[s] += (X[s] A^T) (scaling B)^T}: one pair of products per range, with no
 * padding to the largest rank. Ranges of few rows, such as tokens being decoded, go through {@link LowRankOp} instead, all
 * of a site in one call. Any other method computes its own {@code apply} on its rows.
 *
 * <p>It holds no state: which rows belong to whom comes with the call, as {@link Rows}. Calls without them compute the
 * base. {@link io.lorica.adapter.RowsOverlay} does the same in training, where nothing may be written in place and gradients
 * must stay with their ranges; here factors lie in pages, blends have weights, and no gradient is asked for.
 */
public final class MixedOverlay implements Linear.Overlay, Embedding.Overlay, FeedForward.Overlay {

    /**
     * Rows of one blend times their ranks up to which the kernel, which reads the factors anew for each row, beats a pair
     * of products with what it takes to cut the rows out. With 128 a server of 5 adapters of ranks 8 to 64 answered 125
     * tokens a second on two cores, with 4096 238.
     */
    private static final int FEW = 4096;

    private MixedOverlay() {}

    /** Puts one on every site. */
    public static void attach(BaseModel model) {
        MixedOverlay overlay = new MixedOverlay();
        for (Site site : model.sites().values()) {
            switch (site) {
                case Linear linear -> linear.attach(overlay);
                case Embedding embedding -> embedding.attach(overlay);
            }
        }
        model.feedForwards().values().forEach(block -> block.attach(overlay));
    }

    public static void detach(BaseModel model) {
        model.sites().values().forEach(Site::detachOverlay);
        model.feedForwards().values().forEach(FeedForward::detachOverlay);
    }

    @Override
    public Tensor forward(Linear site, Tensor x, Pass pass) {
        Tensor merged = pass.facts() instanceof Rows rows ? rows.merged(site) : null;
        if (merged != null) {
            return linear(x, merged, site.bias());
        }
        return adapt(site, x, site.base(x), pass);
    }

    @Override
    public Tensor forward(Embedding site, Tensor ids, Pass pass) {
        return adapt(site, ids, site.base(ids), pass);
    }

    /**
     * Rows of an adapter that acts on the whole block are computed apart, each range with its adapter. Unless it is the only
     * one of the call, the frozen block is computed for its rows too.
     */
    @Override
    public Tensor forward(FeedForward block, Tensor x, Pass pass) {
        if (!(pass.facts() instanceof Rows rows)) {
            return block.plain(x, pass);
        }
        List<RowRanges.Range<Blend>> ranges = rows.ranges().over(x.size(0), block.name());
        Blend first = ranges.getFirst().owner();
        BlockAdapter only =
                first.parts().size() == 1 && first.parts().getFirst().weight() == 1
                        ? first.parts().getFirst().adapter().at(block)
                        : null;
        if (ranges.size() == 1 && only != null) {
            return only.forward(x, pass);
        }
        Tensor result = block.plain(x, pass);
        for (RowRanges.Range<Blend> range : ranges) {
            replace(block, x, result, range, pass.with(rows.only(range)));
        }
        return result;
    }

    private static void replace(FeedForward block, Tensor x, Tensor result, RowRanges.Range<Blend> range, Pass pass) {
        try (Scope _ = Scope.open()) {
            Tensor output = range.of(result);
            Tensor plain = output.clone();
            for (Blend.Part part : range.owner().parts()) {
                BlockAdapter adapter = part.adapter().at(block);
                if (adapter != null) {
                    Tensor adapted = adapter.forward(range.of(x), pass);
                    try (Scalar weight = new Scalar(part.weight())) {
                        output.add_(adapted.sub(plain), weight);
                    }
                }
            }
        }
    }

    private static Tensor linear(Tensor x, Tensor weight, @Nullable Parameter bias) {
        if (bias == null) {
            return torch.linear(x, weight);
        }
        try (TensorOptional optional = new TensorOptional(bias.value())) {
            return torch.linear(x, weight, optional);
        }
    }

    /** @param result fresh, so that it may be written */
    private static Tensor adapt(Site site, Tensor x, Tensor result, Pass pass) {
        if (!(pass.facts() instanceof Rows rows)) {
            return result;
        }
        boolean fits = LowRankOp.fits(x, result);
        List<LowRankOp.Row> single = new ArrayList<>();
        for (RowRanges.Range<Blend> range : rows.ranges().over(result.size(0), site.name())) {
            List<Acting> acting = acting(site, range.owner(), rows);
            List<ServedAdapter.Swap> swaps = range.owner().parts().stream()
                    .flatMap(part -> part.adapter().swaps(site).stream())
                    .toList();
            if (!swaps.isEmpty()) {
                swapRange(site, x, result, range, swaps, acting, pass);
            } else if (fits && (long) range.count() * rank(acting) <= FEW) {
                addRows(range, acting, single);
            } else if (!acting.isEmpty()) {
                addRange(x, result, range, acting, pass);
            }
        }
        if (!single.isEmpty()) {
            LowRankOp.apply(x, result, single);
        }
        return result;
    }

    /** A part with its weight in the blend. */
    private record Acting(ServedAdapter.Part part, double weight) {}

    private static List<Acting> acting(Site site, Blend blend, Rows rows) {
        List<Acting> acting = new ArrayList<>();
        for (Blend.Part part : blend.parts()) {
            ServedAdapter.Part at = rows.at(part.adapter(), site);
            if (at != null) {
                acting.add(new Acting(at, part.weight()));
            }
        }
        return acting;
    }

    /** Of all products together; more than any limit where one part is no product. */
    private static int rank(List<Acting> acting) {
        int rank = 0;
        for (Acting one : acting) {
            if (!(one.part() instanceof Product product)) {
                return Integer.MAX_VALUE;
            }
            rank += product.factors().rank();
        }
        return rank;
    }

    private static void addRows(RowRanges.Range<Blend> range, List<Acting> acting, List<LowRankOp.Row> rows) {
        if (acting.isEmpty()) {
            return;
        }
        List<LowRankOp.Term> terms = acting.stream()
                .map(one -> new LowRankOp.Term(((Product) one.part()).factors(), one.weight()))
                .toList();
        for (int i = 0; i < range.count(); i++) {
            rows.add(new LowRankOp.Row(range.from() + i, terms));
        }
    }

    /** Computes a range anew with weights of its own in the base's place, as a stack of its adapters alone does. */
    private static void swapRange(
            Site site,
            Tensor x,
            Tensor result,
            RowRanges.Range<Blend> range,
            List<ServedAdapter.Swap> swaps,
            List<Acting> acting,
            Pass pass) {
        try (Scope _ = Scope.open()) {
            swaps.forEach(swap -> swap.parameter().override(swap.value()));
            Tensor input = range.of(x);
            range.of(result)
                    .copy_(
                            switch (site) {
                                case Linear linear -> linear.base(input);
                                case Embedding embedding -> embedding.base(input);
                            });
            addRange(x, result, range, acting, pass);
        } finally {
            swaps.forEach(swap -> swap.parameter().restore());
        }
    }

    private static void addRange(
            Tensor x, Tensor result, RowRanges.Range<Blend> range, List<Acting> acting, Pass pass) {
        try (Scope _ = Scope.open()) {
            Tensor input = range.of(x);
            Tensor output = range.of(result);
            // A method may need the frozen output after another part has added to it.
            Tensor base = acting.size() == 1 ? output : output.clone();
            for (Acting one : acting) {
                switch (one.part()) {
                    case Product product -> add(output, input, product.factors(), one.weight());
                    case ServedAdapter.Part.Method method ->
                        output.copy_(method.adapter().apply(input, base, output, one.weight(), pass));
                }
            }
        }
    }

    /** {@code output += weight (x A^T) B^T}, in place. */
    private static void add(Tensor output, Tensor x, LowRankOp.Product product, double weight) {
        for (LowRankOp.Piece piece : product.pieces()) {
            Tensor a = product.memory().view(piece.a(), piece.rank(), product.in());
            Tensor b = product.memory().view(piece.b(), piece.rank(), product.out());
            Tensor hidden = x.mm(a.t());
            if (weight != 1) {
                try (Scalar factor = new Scalar(weight)) {
                    hidden.mul_(factor);
                }
            }
            output.addmm_(hidden, b);
        }
    }
}
