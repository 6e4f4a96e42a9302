package io.lorica.adapter.dylora;

import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.lowrank.LowRank;
import io.lorica.adapter.lowrank.Pair;
import io.lorica.adapter.lowrank.Start;
import io.lorica.model.Linear;
import io.lorica.model.Pass;
import io.lorica.model.Site;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import java.util.LinkedHashMap;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * DyLoRA on a linear site: {@code y = W x + b + s(b) B[:, :b] A[:b, :] dropout(x)} at the active rank {@code b}, with
 * {@code A: [R, in]} and {@code B: [out, R]}. The truncated factors are views, so gradients land in the full tensors and
 * are zero past {@code b}.
 */
final class DyLoraLinear implements SiteAdapter {
    private final Linear site;
    private final DyLoraConfig config;
    private final ActiveRank active;
    private final Pair pair;

    DyLoraLinear(Linear site, DyLoraConfig config, ActiveRank active, Seed seed) {
        this.site = site;
        this.config = config;
        this.active = active;
        int r = config.lowRank().r();
        pair = new Pair(Start.lora(site, r, seed), config.scaling(r));
    }

    @Override
    public Site site() {
        return site;
    }

    Pair pair() {
        return pair;
    }

    @Override
    public SequencedMap<String, Tensor> tensors() {
        return pair.tensors();
    }

    /** The first components, as many as the rank in use. */
    @Override
    public SequencedMap<String, Tensor> saved() {
        SequencedMap<String, Tensor> saved = new LinkedHashMap<>();
        saved.put(Pair.A, pair.a().narrow(0, 0, active.rank()));
        saved.put(Pair.B, pair.b().narrow(1, 0, active.rank()));
        return saved;
    }

    @Override
    public Tensor apply(Tensor input, Tensor base, Tensor result, double weight, Pass pass) {
        Tensor x = pass.dropout(input, config.lowRank().dropout(), site.name());
        int b = pass.training() ? active.trained() : active.rank();
        boolean lastOnly = config.frozen() && pass.training();
        Tensor down = lastOnly ? last(pair.a(), 0, b) : pair.a().narrow(0, 0, b);
        Tensor up = lastOnly ? last(pair.b(), 1, b) : pair.b().narrow(1, 0, b);
        return LowRank.add(result, x, down, up, config.scaling(b) * weight);
    }

    /** The first b components, of which only the last (the last {@code granularity}) take gradients. */
    private Tensor last(Tensor factor, long dim, int b) {
        long before = b - config.granularity();
        Tensor learns = factor.narrow(dim, before, config.granularity());
        return before == 0
                ? learns
                : torch.cat(new TensorVector(factor.narrow(dim, 0, before).detach(), learns), dim);
    }

    @Override
    public Tensor change(Tensor matrix) {
        try (Scope scope = Scope.open();
                Grad _ = Grad.disabled()) {
            int b = active.rank();
            Tensor up = LowRank.times(pair.b().narrow(1, 0, b), config.scaling(b));
            return scope.keep(up.mm(pair.a().narrow(0, 0, b)));
        }
    }
}
