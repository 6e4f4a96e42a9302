package io.lorica.adapter.moe;

import io.lorica.adapter.lowrank.LowRank;
import io.lorica.model.Pass;
import io.lorica.tensor.DType;
import io.lorica.tensor.Tensors;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.T_TensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * Chooses some of {@code E} experts for every token:
 *
 * <pre>
 * p = softmax(x G^T)            G: [E, in], x: [T, in], in float32
 * (w, e) = topk(p, K)           w = w / sum_k w
 * </pre>
 *
 * <p>{@link Choice} says how many it chooses where it is not {@code K}, and {@link Shares} what a visit counts where it is not that.
 * Where all experts are chosen for every token the order does not matter and nothing is dropped; with one expert of one the
 * weight is exactly 1, and the router learns nothing.
 */
public final class Router {
    private final String name;
    private final Tensor weight;
    private final @Nullable Tensor bias;
    private final Choice choice;
    private final Shares shares;

    /** How many experts a token visits. */
    public sealed interface Choice {

        /** The {@code k} likeliest, from 1 to E. */
        record TopK(int k) implements Choice {}

        /**
         * The likeliest until their probabilities sum to more than {@code p}, that one included; all where they do not.
         *
         * @param p from 0 to 1
         * @param temperature divides the probabilities before; 0 for 1
         */
        record TopP(double p, double temperature) implements Choice {}
    }

    /** What the visit of a token at an expert counts. */
    public enum Shares {
        /** The chosen experts' probabilities, made to sum to 1. */
        NORMALIZED,
        /** 1; the router learns from the balance loss alone. */
        ONE,
        /** 1 with the gradient of the probability: {@code p - stopgrad(p) + 1}. */
        STRAIGHT_THROUGH,
        /** The probability itself. Only the likeliest expert counts as chosen in the balance loss. */
        PROBABILITY;

        private Tensor of(Tensor chosen) {
            return switch (this) {
                case NORMALIZED -> chosen.div(chosen.sum(new long[] {-1}, true, null));
                case ONE -> one(LowRank.times(chosen.sub(chosen.detach()), 0));
                case STRAIGHT_THROUGH -> one(chosen.sub(chosen.detach()));
                case PROBABILITY -> chosen;
            };
        }

        /** Stays in the graph, so that a loss on the router's probabilities comes by. */
        private static Tensor one(Tensor nothing) {
            try (Scalar one = new Scalar(1.0)) {
                return nothing.add(one);
            }
        }
    }

    /**
     * @param name of the router, for the {@link RoutingLog}
     * @param weight {@code G: [E, in]} float32, owned by the caller
     * @param topK {@code K}, from 1 to E
     */
    public Router(String name, Tensor weight, int topK) {
        this(name, weight, null, new Choice.TopK(topK), Shares.NORMALIZED);
    }

    /** @param bias {@code [E]} float32, owned by the caller; null for none */
    public Router(String name, Tensor weight, @Nullable Tensor bias, Choice choice, Shares shares) {
        this.name = name;
        this.weight = weight;
        this.bias = bias;
        this.choice = choice;
        this.shares = shares;
    }

    public String name() {
        return name;
    }

    public int experts() {
        return (int) weight.size(0);
    }

    /**
     * Routes the tokens and tells the pass's {@link RoutingLog}, where there is one.
     *
     * @param x {@code [T, in]} of any dtype
     * @return tensors owned by the caller's innermost scope
     */
    public Routing route(Tensor x, Pass pass) {
        Tensor logits = Tensors.to(x, DType.F32).matmul(weight.t());
        Tensor p = torch.softmax(bias == null ? logits : logits.add(bias), -1);
        RoutingLog log = pass.facts() instanceof RoutingLog told ? told : null;
        if (log != null) {
            p = log.balance(name, p);
        }
        Chosen chosen = switch (choice) {
            case Choice.TopK top -> Chosen.of(p.topk(top.k(), -1, true, true), top.k(), shares);
            case Choice.TopP top -> Chosen.of(p, top, shares);
        };
        if (log != null) {
            note(log, p, chosen);
        }
        long[] visits = new long[experts()];
        Arrays.stream(chosen.experts).filter(e -> e >= 0).forEach(e -> visits[(int) e]++);
        long[] slots = byExpert(chosen.experts, visits);
        Tensor weights = chosen.weights.index_select(0, Tensors.of(slots));
        Tensor rows =
                Tensors.of(Arrays.stream(slots).map(slot -> slot / chosen.most).toArray());
        return new Routing(x.size(0), rows, weights, visits);
    }

    /**
     * The experts of every token, the likeliest first.
     *
     * @param experts {@code most} for each token in turn, -1 where it has fewer
     * @param weights what the visits count, likewise
     */
    private record Chosen(long[] experts, int most, Tensor weights) {

        static Chosen of(T_TensorTensor_T likeliest, int most, Shares shares) {
            return new Chosen(
                    Tensors.longs(likeliest.get1()),
                    most,
                    shares.of(likeliest.get0()).reshape(-1));
        }

        static Chosen of(Tensor p, Choice.TopP top, Shares shares) {
            Tensor share = top.temperature() > 0 ? LowRank.times(p, 1 / top.temperature()) : p;
            int most = (int) p.size(1);
            Chosen all = of(share.sort(-1, true), most, shares);
            float[] sums = Tensors.floats(all.weights.detach().view(-1, most).cumsum(-1));
            for (int i = 0; i < sums.length; i++) {
                if (i % most > 0 && sums[i - 1] > top.p()) {
                    all.experts[i] = -1;
                }
            }
            return all;
        }
    }

    private void note(RoutingLog log, Tensor p, Chosen chosen) {
        if (shares == Shares.PROBABILITY && choice instanceof Choice.TopK) {
            long[] first = IntStream.range(0, chosen.experts.length / chosen.most)
                    .mapToLong(token -> chosen.experts[token * chosen.most])
                    .toArray();
            log.note(name, p, first, 1);
        } else {
            log.note(name, p, chosen.experts, chosen.most);
        }
    }

    /** Places of the chosen experts in their list, those of the first expert first, in the order of the tokens. */
    private static long[] byExpert(long[] experts, long[] visits) {
        int[] next = new int[visits.length];
        for (int e = 1; e < next.length; e++) {
            next[e] = next[e - 1] + (int) visits[e - 1];
        }
        long[] slots = new long[(int) Arrays.stream(visits).sum()];
        for (int slot = 0; slot < experts.length; slot++) {
            if (experts[slot] >= 0) {
                slots[next[(int) experts[slot]]++] = slot;
            }
        }
        return slots;
    }
}
