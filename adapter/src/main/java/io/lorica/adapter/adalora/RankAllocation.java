package io.lorica.adapter.adalora;

import io.lorica.adapter.TrainingRule;
import io.lorica.adapter.lowrank.LowRank;
import java.util.Arrays;
import java.util.Collection;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Prunes triplets step by step until the budget is {@code target_r} per site on average. With n sites, at step t of T,
 * counted from 1 so that the last pruning falls into the run where {@code tfinal} is 0:
 *
 * <pre>
 * budget(t) = init_r n                                                       t <= tinit
 *           = (init_r - target_r) n (1 - (t - tinit) / (T - tfinal - tinit))^3 + target_r n, rounded down
 *           = target_r n                                                     t > T - tfinal
 * </pre>
 *
 * <p>Every {@code deltaT} steps the E of all triplets is set to zero whose score is not above that of the
 * {@code init_r n - budget}-th smallest of the model. They go on learning and may come back, until at {@code T - tfinal}
 * the choice is final. As PEFT's {@code RankAllocator}, but where nothing is to be pruned ({@code target_r = init_r})
 * nothing is, and PEFT fails.
 */
final class RankAllocation implements TrainingRule {
    private final AdaLoraConfig config;
    private final AdaLoraRanks ranks;
    private final String where;

    RankAllocation(AdaLoraConfig config, AdaLoraRanks ranks, String where) {
        this.config = config;
        this.ranks = ranks;
        this.where = where;
    }

    @Override
    public void beforeStep(long step, long totalSteps) {
        long total = config.totalStep() > 0 ? config.totalStep() : totalSteps;
        config.requireSchedule(total, where);
        ranks.totalSteps(total);
    }

    /** {@code orth_reg_weight} times the mean of {@code ||P P^T - I||_F} over all A and B: the norm, not its square. */
    @Override
    public @Nullable Tensor extraLoss() {
        if (config.orthogonality() == 0) {
            return null;
        }
        Tensor sum = null;
        for (AdaLoraLinear part : ranks.parts().values()) {
            Tensor distance = part.distanceFromOrthogonal();
            sum = sum == null ? distance : sum.add(distance);
        }
        int factors = 2 * ranks.parts().size();
        return sum == null ? null : LowRank.times(sum, config.orthogonality() / factors);
    }

    @Override
    public void afterUpdate(long step) {
        long t = step + 1;
        long last = ranks.totalSteps() - config.tfinal();
        Collection<AdaLoraLinear> parts = ranks.parts().values();
        if (t > last) {
            parts.forEach(AdaLoraLinear::mask);
            return;
        }
        if (t < last) {
            parts.forEach(AdaLoraLinear::noteSensitivity);
        }
        boolean prunes = t > config.tinit() && t % config.deltaT() == 0;
        if (t == last || prunes) {
            prune(budget(t));
        }
    }

    /** Triplets of the whole model at step t. */
    long budget(long t) {
        long sites = ranks.parts().size();
        long from = config.initR() * sites;
        long to = config.targetR() * sites;
        long last = ranks.totalSteps() - config.tfinal();
        if (t <= config.tinit()) {
            return from;
        }
        if (t > last) {
            return to;
        }
        double left = 1 - (double) (t - config.tinit()) / (last - config.tinit());
        return (long) ((from - to) * Math.pow(left, 3) + to);
    }

    private void prune(long budget) {
        Collection<AdaLoraLinear> parts = ranks.parts().values();
        int pruned = (int) ((long) config.initR() * parts.size() - budget);
        if (pruned == 0) {
            return;
        }
        float[] all = new float[config.initR() * parts.size()];
        int at = 0;
        for (AdaLoraLinear part : parts) {
            float[] scores = part.scores();
            System.arraycopy(scores, 0, all, at, scores.length);
            at += scores.length;
        }
        Arrays.sort(all);
        for (AdaLoraLinear part : parts) {
            part.keepAbove(all[pruned - 1]);
            part.mask();
        }
    }
}
