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
 * Chooses {@code K} of {@code E} experts for every token:
 *
 * <pre>
 * p = softmax(x G^T)            G: [E, in], x: [T, in], in float32
 * (w, e) = topk(p, K)           w = w / sum_k w
 * </pre>
 *
 * <p>{@link Shares} says what a visit counts where it is not that. Where all experts are chosen for every token the order does not matter and nothing is dropped; with one expert of one the
 * weight is exactly 1, and the router learns nothing.
 */
public final class Router {
    private final String name;
    private final Tensor weight;
    private final @Nullable Tensor bias;
    private final int topK;
    private final Shares shares;

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
        this(name, weight, null, topK, Shares.NORMALIZED);
    }

    /** @param bias {@code [E]} float32, owned by the caller; null for none */
    public Router(String name, Tensor weight, @Nullable Tensor bias, int topK, Shares shares) {
        this.name = name;
        this.weight = weight;
        this.bias = bias;
        this.topK = topK;
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
        T_TensorTensor_T top = p.topk(topK, -1, true, true);
        long[] experts = Tensors.longs(top.get1());
        if (log != null) {
            note(log, p, experts);
        }
        long[] visits = new long[experts()];
        Arrays.stream(experts).forEach(e -> visits[(int) e]++);
        long[] slots = byExpert(experts, visits);
        Tensor weights = shares.of(top.get0()).reshape(-1).index_select(0, Tensors.of(slots));
        Tensor rows = Tensors.of(Arrays.stream(slots).map(slot -> slot / topK).toArray());
        return new Routing(x.size(0), rows, weights, visits);
    }

    private void note(RoutingLog log, Tensor p, long[] experts) {
        if (shares == Shares.PROBABILITY) {
            long[] first = IntStream.range(0, experts.length / topK)
                    .mapToLong(token -> experts[token * topK])
                    .toArray();
            log.note(name, p, first, 1);
        } else {
            log.note(name, p, experts, topK);
        }
    }

    /** Places of the chosen experts in their list, those of the first expert first, in the order of the tokens. */
    private static long[] byExpert(long[] experts, long[] visits) {
        int[] next = new int[visits.length];
        for (int e = 1; e < next.length; e++) {
            next[e] = next[e - 1] + (int) visits[e - 1];
        }
        long[] slots = new long[experts.length];
        for (int slot = 0; slot < experts.length; slot++) {
            slots[next[(int) experts[slot]]++] = slot;
        }
        return slots;
    }
}
