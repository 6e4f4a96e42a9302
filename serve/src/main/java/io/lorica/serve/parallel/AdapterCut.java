package io.lorica.serve.parallel;

import io.lorica.adapter.SiteAdapter;
import io.lorica.model.Linear;
import io.lorica.model.Shard;
import io.lorica.model.Shard.Side;
import io.lorica.model.Shard.Span;
import io.lorica.serve.mix.ServedAdapter;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import io.lorica.tensor.fused.LowRankOp;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Cuts an adapter for the ranks as S-LoRA's tensor parallelism does (Sheng et al., 2023, section 6), along the base's own
 * cut. Where the base is cut by outputs, A is cut by ranks of the product and B by outputs; where it is cut by inputs, A
 * is cut by inputs and B evenly by outputs. A method that is no product is served by its exact change of the weight, cut
 * as the weight is. What acts on the output head goes to the first rank, which alone computes it.
 */
final class AdapterCut {
    private final Shard shard;
    private final DType type;

    /** @param type that the base computes in */
    AdapterCut(Shard shard, DType type) {
        this.shard = shard;
        this.type = type;
    }

    /** Ranks of a product that each rank but the last has; {@link ShardOverlay} gathers so many of each. */
    static int share(int rank, int ranks) {
        return (rank + ranks - 1) / ranks;
    }

    private record Cut(
            AdapterShard.Entry entry,
            Tensor first,
            @Nullable Tensor second) {}

    /**
     * This rank's part.
     *
     * @throws LoricaException.Unsupported where it acts on the embedding, or changes a weight by nothing that can be added
     */
    AdapterShard of(ServedAdapter adapter) {
        if (!adapter.onlyAdds()) {
            throw new LoricaException.Unsupported(
                    "adapter '" + adapter.name() + "' replaces weights of the base or acts on"
                            + " whole blocks, which ranks of tensor parallelism cannot share; serve it by one rank");
        }
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            List<Cut> cuts = new ArrayList<>();
            for (Map.Entry<String, ServedAdapter.Part> part : adapter.parts().entrySet()) {
                String site = part.getKey();
                Span span = shard.span(site);
                if (span == null && shard.rank() > 0) {
                    continue;
                }
                cuts.add(
                        switch (part.getValue()) {
                            case ServedAdapter.Part.Product product -> product(site, span, product.factors());
                            case ServedAdapter.Part.Method method -> change(adapter.name(), span, method.adapter());
                        });
            }
            return fill(cuts);
        }
    }

    private AdapterShard fill(List<Cut> cuts) {
        AdapterShard result = new AdapterShard(cuts.stream().map(Cut::entry).toList(), type);
        for (Cut cut : cuts) {
            AdapterShard.Part part =
                    Objects.requireNonNull(result.at(cut.entry().site()));
            part.first().copy_(cut.first());
            if (cut.second() != null) {
                part.second().copy_(cut.second());
            }
        }
        return result;
    }

    private Cut product(String site, @Nullable Span span, LowRankOp.Product product) {
        int rank = product.rank();
        LowRankOp.Piece piece = product.pieces().getFirst();
        Tensor a = product.memory().view(piece.a(), rank, product.in());
        Tensor b = product.memory().view(piece.b(), rank, product.out());
        if (span != null && span.side() == Side.OUT) {
            int share = share(rank, shard.ranks());
            int from = Math.min(rank, shard.rank() * share);
            a = a.narrow(0, from, Math.min(share, rank - from));
            b = b.narrow(1, span.from(), span.size());
        } else if (span != null) {
            Span out = Span.even(Side.OUT, product.out(), shard.rank(), shard.ranks());
            a = a.narrow(1, span.from(), span.size());
            b = b.narrow(1, out.from(), out.size());
        }
        return new Cut(new AdapterShard.Entry(site, rank, (int) a.size(0), (int) a.size(1), (int) b.size(1)), a, b);
    }

    private Cut change(String adapter, @Nullable Span span, SiteAdapter method) {
        if (!(method.site() instanceof Linear site)) {
            throw new LoricaException.Unsupported(
                    "adapter '" + adapter + "' acts on " + method.site().name()
                            + ", which ranks of tensor parallelism all have whole; serve it by one rank");
        }
        Tensor change = method.change(Tensors.to(site.matrix(), DType.F32));
        Tensor bias = method.biasChange().orElse(null);
        if (span != null && span.side() == Side.OUT) {
            change = change.narrow(0, span.from(), span.size());
            bias = bias == null ? null : bias.narrow(0, span.from(), span.size());
        } else if (span != null) {
            change = change.narrow(1, span.from(), span.size());
            bias = shard.rank() == 0 ? bias : null; // the partial sums of all ranks add up
        }
        int wide = bias == null ? 0 : (int) bias.numel();
        return new Cut(
                new AdapterShard.Entry(site.name(), 0, (int) change.size(0), (int) change.size(1), wide),
                change,
                bias == null ? null : bias.view(1, -1));
    }
}
