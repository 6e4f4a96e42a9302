package io.lorica.serve.parallel;

import io.lorica.adapter.RowRanges;
import io.lorica.model.BaseModel;
import io.lorica.model.Linear;
import io.lorica.model.Pass;
import io.lorica.model.Shard;
import io.lorica.model.Shard.Side;
import io.lorica.model.Shard.Span;
import io.lorica.model.Site;
import io.lorica.tensor.DType;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Computes one rank's part of a site for many adapters, with {@code N} ranks in all. For a site cut by outputs
 * {@code V = gather(X A_i^T)}, {@code Y_i = X W_i^T + V B_i}; for a site cut by inputs {@code V = sum(X_i A_i^T)}, whose
 * product {@code V B_i} goes to this rank's slice of the partial sum, and {@code Y = sum(X_i W_i^T + ...)}. So the last
 * exchange is the base's own, and products of rank {@code r} add {@code 5 (N - 1) T r / N} elements to each rank's traffic
 * per attention with adapters on q, k, v and o.
 */
final class ShardOverlay implements Linear.Overlay {
    private final Shard shard;
    private final Collective ranks;

    private ShardOverlay(Shard shard, Collective ranks) {
        this.shard = shard;
        this.ranks = ranks;
    }

    /** Puts one on every linear map. */
    static void attach(BaseModel model, Shard shard, Collective ranks) {
        ShardOverlay overlay = new ShardOverlay(shard, ranks);
        for (Site site : model.sites().values()) {
            if (site instanceof Linear linear) {
                linear.attach(overlay);
            }
        }
    }

    /** A product at the site for some rows; {@code at} is where its rows lie among those of all uses. */
    private record Use(
            RowRanges.Range<List<ShardRows.Acting>> range, AdapterShard.Part part, double weight, long at, int width) {
        Tensor rows(Tensor of) {
            return range.of(of);
        }

        long size() {
            return (long) range.count() * width;
        }
    }

    @Override
    public Tensor forward(Linear site, Tensor x, Pass pass) {
        try (Scope scope = Scope.open()) {
            Span span = shard.span(site.name());
            Tensor y = site.base(x);
            if (pass.facts() instanceof ShardRows rows) {
                addProducts(uses(site, span, rows), span, x, y);
                addChanges(site, rows, x, y);
            }
            return scope.keep(span != null && span.side() == Side.IN ? ranks.sum(y) : y);
        }
    }

    private List<Use> uses(Linear site, @Nullable Span span, ShardRows rows) {
        List<Use> uses = new ArrayList<>();
        long at = 0;
        for (RowRanges.Range<List<ShardRows.Acting>> range : rows.ranges().all()) {
            for (ShardRows.Acting acting : range.owner()) {
                AdapterShard.Part part = acting.adapter().at(site.name());
                if (part != null && part.entry().product()) {
                    int rank = part.entry().rank();
                    int width = span != null && span.side() == Side.OUT ? AdapterCut.share(rank, ranks.ranks()) : rank;
                    Use use = new Use(range, part, acting.weight(), at, width);
                    uses.add(use);
                    at += use.size();
                }
            }
        }
        return uses;
    }

    private void addProducts(List<Use> uses, @Nullable Span span, Tensor x, Tensor y) {
        if (uses.isEmpty()) {
            return;
        }
        long total = uses.getLast().at() + uses.getLast().size();
        Tensor mine = Tensors.zeros(DType.of(x), total);
        for (Use use : uses) {
            Tensor hidden = use.rows(x).mm(use.part().first().t());
            try (Scalar weight = new Scalar(use.weight())) {
                mine.narrow(0, use.at(), use.size())
                        .view(use.range().count(), use.width())
                        .narrow(1, 0, hidden.size(1))
                        .copy_(hidden.mul_(weight));
            }
        }
        boolean gathered = span != null && span.side() == Side.OUT;
        Tensor all = gathered ? ranks.gather(mine) : (span == null ? mine : ranks.sum(mine)).view(1, -1);
        Span out = span != null && !gathered
                ? Span.even(Side.OUT, y.size(1), shard.rank(), shard.ranks())
                : new Span(Side.OUT, 0, y.size(1));
        for (Use use : uses) {
            Tensor hidden = all.narrow(1, use.at(), use.size())
                    .reshape(all.size(0), use.range().count(), use.width())
                    .transpose(0, 1)
                    .reshape(use.range().count(), -1)
                    .narrow(1, 0, use.part().entry().rank());
            use.rows(y)
                    .narrow(1, out.from(), out.size())
                    .addmm_(hidden, use.part().second());
        }
    }

    private static void addChanges(Linear site, ShardRows rows, Tensor x, Tensor y) {
        for (RowRanges.Range<List<ShardRows.Acting>> range : rows.ranges().all()) {
            for (ShardRows.Acting acting : range.owner()) {
                AdapterShard.Part part = acting.adapter().at(site.name());
                if (part == null || part.entry().product()) {
                    continue;
                }
                Tensor change = range.of(x).mm(part.first().t());
                if (part.entry().out() > 0) {
                    change.add_(part.second());
                }
                try (Scalar weight = new Scalar(acting.weight())) {
                    range.of(y).add_(change, weight);
                }
            }
        }
    }
}
