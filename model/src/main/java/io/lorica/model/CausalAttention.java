package io.lorica.model;

import io.lorica.tensor.DType;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * Causal attention with grouped queries over packed sequences: {@code softmax(q k^T / sqrt(d) + mask) v}, each sequence
 * for itself.
 *
 * <p>Written from batched products. On the CPU libtorch's fused attention in bfloat16 is an order of magnitude slower
 * (200 against 11 ms for 72 x 256 x 256 x 64). The query heads that share a key head are stacked as rows of one product,
 * so keys are never repeated.
 *
 * @param heads query heads
 * @param keyHeads key and value heads; divides {@code heads}
 * @param headDim width of a head
 * @param window a token sees itself and the {@code window - 1} tokens before it; 0 for no limit
 */
public record CausalAttention(int heads, int keyHeads, int headDim, int window) {

    /** Query rows of one product; 64 to 256 were tried at SmolLM2-135M's shape, this was the fastest by a little. */
    private static final long BLOCK = 192;

    /**
     * @param q {@code [T, heads * headDim]}, positions already applied
     * @param k {@code [T, keyHeads * headDim]}
     * @param v {@code [T, keyHeads * headDim]}
     * @param layer index into the batch's cache
     * @return {@code [T, heads * headDim]}, owned by the caller's innermost scope
     */
    public Tensor forward(Tensor q, Tensor k, Tensor v, Batch batch, int layer) {
        return forward(q, k, v, batch, layer, AttentionDropout.NONE);
    }

    /** The same with dropout of the attention weights. */
    public Tensor forward(Tensor q, Tensor k, Tensor v, Batch batch, int layer, AttentionDropout dropout) {
        try (Scope scope = Scope.open()) {
            List<Tensor> outputs = new ArrayList<>();
            int at = 0;
            for (int i = 0; i < batch.size(); i++) {
                int length = batch.lengths()[i];
                Tensor queries = q.narrow(0, at, length);
                Tensor keys = k.narrow(0, at, length);
                Tensor values = v.narrow(0, at, length);
                KvCache cache = batch.cache();
                if (cache != null) {
                    cache.append(i, layer, keys, values);
                    int total = cache.length(i) + length;
                    keys = cache.keys(i, layer, total);
                    values = cache.values(i, layer, total);
                }
                outputs.add(attend(queries, keys, values, i, dropout));
                at += length;
            }
            return scope.keep(join(outputs));
        }
    }

    /**
     * One sequence: {@code q: [n, heads * d]} are its last {@code n} tokens, {@code k, v: [m, keyHeads * d]} all of it.
     * Queries go in blocks of rows, each against the keys it may see, so that neither the hidden half nor what lies
     * before the window is computed, and memory grows with {@code n * BLOCK} and not with {@code n * n}.
     */
    private Tensor attend(Tensor q, Tensor k, Tensor v, int sequence, AttentionDropout dropout) {
        long n = q.size(0);
        long m = k.size(0);
        int group = heads / keyHeads;
        Tensor keys = k.view(m, keyHeads, headDim).permute(1, 2, 0).contiguous();
        Tensor values = v.view(m, keyHeads, headDim).transpose(0, 1).contiguous();
        Tensor scaled;
        try (Scalar scale = new Scalar(1 / Math.sqrt(headDim))) {
            scaled = q.mul(scale);
        }
        // [n, kv, g, d] -> [kv, g, n, d]: the heads that share a key head lie side by side.
        Tensor queries = scaled.view(n, keyHeads, group, headDim).permute(1, 2, 0, 3);
        List<Tensor> outputs = new ArrayList<>();
        for (long from = 0; from < n; from += BLOCK) {
            long rows = Math.min(BLOCK, n - from);
            long end = m - n + from + rows;
            long begin = window == 0 ? 0 : Math.max(0, end - rows - window + 1);
            long first = from;
            Tensor part = attendBlock(
                    queries.narrow(2, from, rows).reshape(keyHeads, group * rows, headDim),
                    keys.narrow(2, begin, end - begin),
                    values.narrow(1, begin, end - begin),
                    rows,
                    weights -> dropout.apply(weights, sequence, first));
            outputs.add(part.view(keyHeads, group, rows, headDim)
                    .permute(2, 0, 1, 3)
                    .reshape(rows, (long) heads * headDim));
        }
        return join(outputs);
    }

    /** {@code q: [kv, g * n, d], k: [kv, d, m], v: [kv, m, d]} to {@code [kv, g * n, d]}; the rows are the last n tokens. */
    private Tensor attendBlock(Tensor q, Tensor k, Tensor v, long n, UnaryOperator<Tensor> dropout) {
        long m = k.size(2);
        Tensor scores = torch.bmm(q, k);
        if (n > 1) {
            scores =
                    scores.view(keyHeads, -1, n, m).add(mask(n, m, DType.of(q))).view(keyHeads, -1, m);
        }
        return torch.bmm(dropout.apply(torch.softmax(scores, -1)), v);
    }

    private static Tensor join(List<Tensor> parts) {
        return parts.size() == 1 ? parts.getFirst() : torch.cat(new TensorVector(parts.toArray(Tensor[]::new)), 0);
    }

    /** {@code [n, m]}: 0 where row {@code i} (token {@code m - n + i}) may look, minus infinity elsewhere. */
    private Tensor mask(long n, long m, DType type) {
        try (Scope scope = Scope.open()) {
            Tensor blocked = torch.triu(Tensors.ones(DType.BOOL, n, m), m - n + 1);
            if (window > 0) {
                blocked = blocked.logical_or(torch.tril(Tensors.ones(DType.BOOL, n, m), m - n - window));
            }
            Scalar minusInfinity = new Scalar(Double.NEGATIVE_INFINITY);
            return scope.keep(Tensors.zeros(type, n, m).masked_fill_(blocked, minusInfinity));
        }
    }
}
