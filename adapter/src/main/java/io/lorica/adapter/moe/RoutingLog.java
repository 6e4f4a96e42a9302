package io.lorica.adapter.moe;

import io.lorica.adapter.ExpertUse;
import io.lorica.adapter.PassLoss;
import io.lorica.tensor.CustomGradient;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Objects;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * What the routers did in one forward pass, and the {@link Balance} loss on it. The loss's gradient depends on the routing of the
 * whole pass: it is put in when the backward pass comes by, and all routers have told by then.
 */
public final class RoutingLog implements PassLoss {
    private final Balance balance;
    private final double share;
    private final int[] lengths;
    private final SequencedMap<String, List<ExpertUse>> told = new LinkedHashMap<>();

    /**
     * @param share factor on the loss: the pass's part of its optimizer step
     * @param lengths tokens of each sequence of the pass
     */
    public RoutingLog(Balance balance, double share, int... lengths) {
        this.balance = balance;
        this.share = share;
        this.lengths = lengths.clone();
    }

    @Override
    public SequencedMap<String, ExpertUse> uses() {
        SequencedMap<String, ExpertUse> uses = new LinkedHashMap<>();
        told.forEach((router, parts) -> parts.forEach(use -> uses.merge(router, use, ExpertUse::plus)));
        return uses;
    }

    /**
     * Notes what a router chose; a block that is computed again notes the same again.
     *
     * @param p {@code [T, E]}
     * @param experts those that count as chosen, {@code choices} for each token in turn, -1 for none
     */
    void note(String router, Tensor p, long[] experts, int choices) {
        int tokens = experts.length / choices;
        List<ExpertUse> parts = new ArrayList<>();
        int from = 0;
        for (int length : parts(tokens)) {
            parts.add(use(p.narrow(0, from, length), experts, from * choices, choices));
            from += length;
        }
        told.put(router, parts);
    }

    /** Tokens that are counted together: those of a sequence, where the loss asks for that, or all. */
    private int[] parts(int tokens) {
        return balance.groups() == Balance.Groups.SAMPLE ? lengths : new int[] {tokens};
    }

    private static ExpertUse use(Tensor p, long[] experts, int from, int choices) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            float[] sums = Tensors.floats(p.detach().sum(0));
            double[] wide = new double[sums.length];
            for (int e = 0; e < sums.length; e++) {
                wide[e] = sums[e];
            }
            long[] visits = new long[sums.length];
            for (int i = 0; i < p.size(0) * choices; i++) {
                if (experts[from + i] >= 0) {
                    visits[(int) experts[from + i]]++;
                }
            }
            return new ExpertUse(p.size(0), visits, wide, choices);
        }
    }

    /** The probabilities {@code p: [T, E]} with the loss's gradient behind them. */
    Tensor balance(String router, Tensor p) {
        if (balance.coefficient() == 0 || p.size(1) == 1) {
            return p;
        }
        return CustomGradient.attach(
                p.detach(), List.of(p), List.of(), (gradient, _, _) -> List.of(gradient.add(slopes(router, gradient))));
    }

    /** The loss's derivative by each token's probability of each expert, {@code [T, E]} float32. */
    private Tensor slopes(String router, Tensor like) {
        SequencedMap<String, ExpertUse> groups = groups();
        int[] parts = parts((int) like.size(0));
        TensorVector slopes = new TensorVector();
        for (int i = 0; i < parts.length; i++) {
            ExpertUse group = Objects.requireNonNull(groups.get(balance.groups().of(router, i)));
            slopes.push_back(slope(group, groups.size()).expand(parts[i], like.size(1)));
        }
        return torch.cat(slopes, 0);
    }

    private Tensor slope(ExpertUse group, int groups) {
        float[] slope = new float[group.visits().length];
        for (int e = 0; e < slope.length; e++) {
            slope[e] = (float) (share * balance.factor(slope.length, groups) * chosen(group, e) / group.tokens());
        }
        return Tensors.of(slope, slope.length);
    }

    private double chosen(ExpertUse use, int expert) {
        double perToken = (double) use.visits()[expert] / use.tokens();
        return balance.counts() == Balance.Counts.PER_TOKEN ? perToken : perToken / use.choices();
    }

    private SequencedMap<String, ExpertUse> groups() {
        SequencedMap<String, ExpertUse> groups = new LinkedHashMap<>();
        told.forEach((router, parts) -> {
            for (int i = 0; i < parts.size(); i++) {
                groups.merge(balance.groups().of(router, i), parts.get(i), ExpertUse::plus);
            }
        });
        return groups;
    }

    @Override
    public double value() {
        SequencedMap<String, ExpertUse> groups = groups();
        double sum = 0;
        for (ExpertUse use : groups.values()) {
            double products = 0;
            for (int e = 0; e < use.visits().length; e++) {
                products += chosen(use, e) * use.probabilities()[e] / use.tokens();
            }
            sum += balance.factor(use.visits().length, groups.size()) * products;
        }
        return share * sum;
    }
}
