package io.lorica.adapter.moe;

import io.lorica.model.Pass;
import io.lorica.tensor.DType;
import io.lorica.tensor.Tensors;
import io.lorica.tensor.fused.LowRankGroupsOp;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiFunction;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * Where a router sends its tokens: {@code N} visits, those of the first expert first. A token visits as many experts as its
 * router chose for it.
 *
 * @param tokens of the batch, {@code T}
 * @param rows {@code [N]} int64: which token visits
 * @param weights {@code [N]} float32: what the visit counts
 * @param visits of each expert; they sum to {@code N}
 */
public record Routing(long tokens, Tensor rows, Tensor weights, long[] visits) {

    /** What visitors bring along, {@code [T, n]} to {@code [N, n]}. */
    public Tensor gather(Tensor x) {
        return x.index_select(0, rows);
    }

    /**
     * What the visitors get, summed by token with the visits' weights in float32: {@code [N, n]} to {@code [T, n]} in the dtype of
     * {@code y}. A token without a visit gets 0.
     */
    public Tensor combine(Tensor y) {
        Tensor weighted = Tensors.to(y, DType.F32).mul(weights.unsqueeze(1));
        Tensor sum = Tensors.zeros(DType.F32, tokens, y.size(1)).to(y.device(), y.scalar_type());
        return Tensors.to(Tensors.to(sum, DType.F32).index_add(0, rows, weighted), DType.of(y));
    }

    /**
     * The experts' products on their visitors, summed by token with the visits' weights.
     *
     * @param x {@code [T, in]}
     * @param out features of the result
     * @param factor on all of it
     * @return {@code [T, out]} in the dtype of {@code x}
     */
    public Tensor change(Tensor x, long out, List<Expert> experts, double factor, Pass pass) {
        Tensor sent = gather(x);
        Tensor none = torch.zeros(new long[] {sent.size(0), out}, sent.options());
        return combine(add(sent, none, experts, factor, pass));
    }

    /**
     * What each visit's expert makes of the frozen product, all experts in one call where they are plain products.
     *
     * @param x {@code [N, in]} of the visits
     * @param base {@code [N, out]}
     * @param factor on what the experts add
     * @return {@code [N, out]}
     */
    public Tensor add(Tensor x, Tensor base, List<Expert> experts, double factor, Pass pass) {
        if (!LowRankGroupsOp.fits(x, base) || !experts.stream().allMatch(Expert::isProduct)) {
            return each(
                    List.of(x, base),
                    (e, parts) ->
                            experts.get(e).apply(parts.getFirst(), parts.getLast(), parts.getLast(), factor, pass));
        }
        List<LowRankGroupsOp.Group> groups = new ArrayList<>();
        for (int e = 0; e < visits.length; e++) {
            if (visits[e] > 0) {
                groups.add(experts.get(e).group((int) visits[e], factor, pass));
            }
        }
        return LowRankGroupsOp.apply(x, base, groups);
    }

    /**
     * Lets every expert that has visitors compute on them.
     *
     * @param inputs each {@code [N, n_i]}
     * @param expert by number, from its visitors' part of the inputs to {@code [visits, out]}
     * @return {@code [N, out]}
     */
    private Tensor each(List<Tensor> inputs, BiFunction<Integer, List<Tensor>, Tensor> expert) {
        TensorVector results = new TensorVector();
        long from = 0;
        for (int e = 0; e < visits.length; e++) {
            if (visits[e] > 0) {
                long first = from;
                long count = visits[e];
                results.push_back(expert.apply(
                        e,
                        inputs.stream()
                                .map(input -> input.narrow(0, first, count))
                                .toList()));
            }
            from += visits[e];
        }
        return torch.cat(results, 0);
    }
}
