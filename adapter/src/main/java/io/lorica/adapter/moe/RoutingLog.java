package io.lorica.adapter.moe;

import io.lorica.adapter.ExpertUse;
import io.lorica.adapter.PassLoss;
import io.lorica.tensor.CustomGradient;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Objects;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;

/**
 * What the routers did in one forward pass, and the {@link Balance} loss on it. The loss's gradient depends on the routing of the
 * whole pass: it is put in when the backward pass comes by, and all routers have told by then.
 */
public final class RoutingLog implements PassLoss {
    private final Balance balance;
    private final double share;
    private final SequencedMap<String, ExpertUse> uses = new LinkedHashMap<>();

    /**
     * @param share factor on the loss: the pass's part of its optimizer step
     */
    public RoutingLog(Balance balance, double share) {
        this.balance = balance;
        this.share = share;
    }

    @Override
    public SequencedMap<String, ExpertUse> uses() {
        return uses;
    }

    /** Notes what a router chose; a block that is computed again notes the same again. */
    void note(String router, Tensor p, long[] visits, int choices) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            float[] sums = Tensors.floats(p.detach().sum(0));
            double[] wide = new double[sums.length];
            for (int e = 0; e < sums.length; e++) {
                wide[e] = sums[e];
            }
            uses.put(router, new ExpertUse(p.size(0), visits.clone(), wide, choices));
        }
    }

    /** The probabilities {@code p: [T, E]} with the loss's gradient behind them. */
    Tensor balance(String router, Tensor p, int choices) {
        if (balance.coefficient() == 0 || p.size(1) == 1) {
            return p;
        }
        return CustomGradient.attach(
                p.detach(), List.of(p), List.of(), (gradient, _, _) -> List.of(gradient.add(slope(router))));
    }

    /** The loss's derivative by any token's probability of each expert, {@code [E]} float32. */
    private Tensor slope(String router) {
        ExpertUse group = Objects.requireNonNull(groups().get(balance.groups().of(router)));
        float[] slope = new float[group.visits().length];
        for (int e = 0; e < slope.length; e++) {
            slope[e] = (float) (share * balance.coefficient() * slope.length * chosen(group, e) / group.tokens());
        }
        return Tensors.of(slope, slope.length);
    }

    private double chosen(ExpertUse use, int expert) {
        double perToken = (double) use.visits()[expert] / use.tokens();
        return balance.counts() == Balance.Counts.PER_TOKEN ? perToken : perToken / use.choices();
    }

    private SequencedMap<String, ExpertUse> groups() {
        SequencedMap<String, ExpertUse> groups = new LinkedHashMap<>();
        uses.forEach((router, use) -> groups.merge(balance.groups().of(router), use, ExpertUse::plus));
        return groups;
    }

    @Override
    public double value() {
        double sum = 0;
        for (ExpertUse use : groups().values()) {
            double products = 0;
            for (int e = 0; e < use.visits().length; e++) {
                products += chosen(use, e) * use.probabilities()[e] / use.tokens();
            }
            sum += use.visits().length * products;
        }
        return share * balance.coefficient() * sum;
    }
}
