package io.lorica.adapter.dylora;

import io.lorica.adapter.TrainingRule;
import io.lorica.adapter.lowrank.Pair;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/**
 * Draws the rank of each optimizer step, one for all sites and micro-batches, from the seed and the step: a resumed run
 * draws the same. With {@code strict_update} it also undoes what the optimizer does to components that the step did not
 * train; their moments still decay, since they see gradients of zero.
 */
final class NestedDropout implements TrainingRule {
    private final DyLoraConfig config;
    private final ActiveRank active;
    private final List<Pair> pairs;
    private final Seed seed;
    private final List<Tensor> before = new ArrayList<>();

    NestedDropout(DyLoraConfig config, ActiveRank active, List<Pair> pairs, Seed seed) {
        this.config = config;
        this.active = active;
        this.pairs = pairs;
        this.seed = seed;
    }

    @Override
    public void beforeStep(long step, long totalSteps) {
        active.train(config.draw(seed.of(step).value()));
    }

    @Override
    public void beforeUpdate(long step) {
        if (!config.strict()) {
            return;
        }
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            for (Pair pair : pairs) {
                before.add(Scope.release(pair.a().clone()));
                before.add(Scope.release(pair.b().clone()));
            }
        }
    }

    @Override
    public void afterUpdate(long step) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            for (int i = 0; i < before.size(); i++) {
                Pair pair = pairs.get(i / 2);
                restore(i % 2 == 0 ? pair.a() : pair.b(), before.get(i), i % 2);
            }
        }
        before.forEach(Tensor::close);
        before.clear();
    }

    private void restore(Tensor factor, Tensor old, long dim) {
        long b = active.trained();
        long first = config.frozen() ? b - config.granularity() : 0;
        factor.narrow(dim, 0, first).copy_(old.narrow(dim, 0, first));
        long rest = factor.size(dim) - b;
        factor.narrow(dim, b, rest).copy_(old.narrow(dim, b, rest));
    }
}
