package io.lorica.adapter.moe;

import io.lorica.model.Pass;
import io.lorica.tensor.DType;
import io.lorica.tensor.Tensors;
import java.util.Arrays;
import org.bytedeco.pytorch.T_TensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Chooses {@code K} of {@code E} experts for every token:
 *
 * <pre>
 * p = softmax(x G^T)            G: [E, in], x: [T, in], in float32
 * (w, e) = topk(p, K)           w = w / sum_k w
 * </pre>
 *
 * <p>Where all experts are chosen for every token the order does not matter and nothing is dropped; with one expert of one the
 * weight is exactly 1, and the router learns nothing.
 */
public final class Router {
    private final String name;
    private final Tensor weight;
    private final int topK;

    /**
     * @param name of the router, for the {@link RoutingLog}
     * @param weight {@code G: [E, in]} float32, owned by the caller
     * @param topK {@code K}, from 1 to E
     */
    public Router(String name, Tensor weight, int topK) {
        this.name = name;
        this.weight = weight;
        this.topK = topK;
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
        Tensor p = torch.softmax(Tensors.to(x, DType.F32).matmul(weight.t()), -1);
        RoutingLog log = pass.facts() instanceof RoutingLog told ? told : null;
        if (log != null) {
            p = log.balance(name, p, topK);
        }
        T_TensorTensor_T top = p.topk(topK, -1, true, true);
        Tensor chosen = top.get0();
        Tensor shares = chosen.div(chosen.sum(new long[] {-1}, true, null));
        long[] experts = Tensors.longs(top.get1());
        long[] visits = new long[experts()];
        Arrays.stream(experts).forEach(e -> visits[(int) e]++);
        if (log != null) {
            log.note(name, p, visits, topK);
        }
        long[] slots = byExpert(experts, visits);
        Tensor weights = shares.reshape(-1).index_select(0, Tensors.of(slots));
        Tensor rows = Tensors.of(Arrays.stream(slots).map(slot -> slot / topK).toArray());
        return new Routing(x.size(0), rows, weights, visits);
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
