package io.lorica.model;

import io.lorica.tensor.CustomGradient;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.fused.CausalSoftmaxOp;
import io.lorica.tensor.fused.DecodeAttentionOp;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Causal attention with grouped queries over packed sequences: {@code softmax(q k^T / sqrt(d) + mask) v}, each sequence
 * for itself.
 *
 * <p>Written from batched products, with its gradient: {@code dv = P^T do}, {@code ds = P (dP - sum(dP P)) / sqrt(d)}
 * with {@code dP = do v^T}, {@code dq = ds k}, {@code dk = ds^T q}. On the CPU libtorch's fused attention in bfloat16 is an
 * order of magnitude slower (200 against 11 ms for 72 x 256 x 256 x 64). The query heads that share a key head are
 * stacked as rows of one product, so keys are never repeated. A single token that continues a cached sequence attends by
 * {@link DecodeAttentionOp}, which reads the cache where it lies.
 *
 * @param heads query heads
 * @param keyHeads key and value heads; divides {@code heads}
 * @param headDim width of a head
 * @param window a token sees itself and the {@code window - 1} tokens before it; 0 for no limit
 */
public record CausalAttention(int heads, int keyHeads, int headDim, int window) {

    /** Query rows of one product; 64 to 256 were tried at SmolLM2-135M's shape, this was the fastest by a little. */
    private static final int BLOCK = 192;

    /** Where a block's first query stands, by which it draws its dropout: the same in the backward pass. */
    private record Place(int sequence, int query) {
        Tensor drop(Tensor weights, AttentionDropout dropout) {
            return dropout.apply(weights, sequence, query);
        }
    }

    /**
     * A block of queries of one sequence against the keys it may see, of which the last query sees the last.
     *
     * @param at first row in the packed batch
     * @param q {@code [kv, g * rows, d]}
     * @param k {@code [kv, d, m]}
     * @param v {@code [kv, m, d]}
     */
    private record Part(int at, int rows, Place place, Tensor q, Tensor k, Tensor v) {

        /** The rows of the packed batch that hold its keys; there are such rows only where nothing was cached. */
        Tensor seen(Tensor packed) {
            long keys = v.size(1);
            return packed.narrow(0, at + rows - keys, keys);
        }
    }

    /**
     * @param q {@code [T, heads * headDim]}, positions already applied
     * @param k {@code [T, keyHeads * headDim]}
     * @param v {@code [T, keyHeads * headDim]}
     * @param layer index into the batch's cache; gradients do not reach what lies in a cache
     * @return {@code [T, heads * headDim]}, owned by the caller's innermost scope
     */
    public Tensor forward(Tensor q, Tensor k, Tensor v, Batch batch, int layer) {
        return forward(q, k, v, batch, layer, AttentionDropout.NONE);
    }

    /** The same with dropout of the attention weights. */
    public Tensor forward(Tensor q, Tensor k, Tensor v, Batch batch, int layer, AttentionDropout dropout) {
        batch.observe(new AttentionObserver.Operands(Integer.toString(layer), heads, keyHeads, headDim, q, k, v));
        try (Scope scope = Scope.open()) {
            List<Part> parts = new ArrayList<>();
            Tensor output;
            List<Tensor> saved = new ArrayList<>();
            try (Grad _ = Grad.disabled()) {
                output = torch.empty_like(q.detach());
                List<DecodeAttentionOp.Query> newest = new ArrayList<>();
                boolean inference = !q.requires_grad() && !dropout.drops();
                int at = 0;
                for (int i = 0; i < batch.size(); i++) {
                    int length = batch.lengths()[i];
                    Tensor keys = k.narrow(0, at, length);
                    Tensor values = v.narrow(0, at, length);
                    KvCache cache = batch.cache();
                    if (cache != null) {
                        cache.append(i, layer, keys, values);
                        int total = cache.length(i) + length;
                        if (inference && length == 1 && DecodeAttentionOp.fits(q, cache.keyRows(i, layer))) {
                            newest.add(new DecodeAttentionOp.Query(
                                    at++, total, cache.keyRows(i, layer), cache.valueRows(i, layer)));
                            continue;
                        }
                        keys = cache.keys(i, layer, total);
                        values = cache.values(i, layer, total);
                    }
                    parts.addAll(parts(q.narrow(0, at, length), keys, values, at, i));
                    at += length;
                }
                if (!newest.isEmpty()) {
                    new DecodeAttentionOp(heads, keyHeads, headDim, window, scale())
                            .apply(q.contiguous(), output, newest);
                }
                attend(output, parts, saved, dropout);
            }
            return scope.keep(CustomGradient.attach(
                    output,
                    List.of(q, k, v),
                    saved,
                    (gradient, tensors, _) -> backward(gradient, parts, tensors, dropout)));
        }
    }

    /**
     * One sequence: {@code q: [n, heads * d]} are its last {@code n} tokens, {@code k, v: [m, keyHeads * d]} all of it.
     * Queries go in blocks of rows, each against the keys it may see, so that neither the hidden half nor what lies
     * before the window is computed, and memory grows with {@code n * BLOCK} and not with {@code n * n}.
     */
    private List<Part> parts(Tensor q, Tensor k, Tensor v, int at, int sequence) {
        int n = (int) q.size(0);
        int m = (int) k.size(0);
        Tensor keys = k.view(m, keyHeads, headDim).permute(1, 2, 0).contiguous();
        Tensor values = v.view(m, keyHeads, headDim).transpose(0, 1).contiguous();
        List<Part> parts = new ArrayList<>();
        for (int from = 0; from < n; from += BLOCK) {
            int rows = Math.min(BLOCK, n - from);
            int end = m - n + from + rows;
            int begin = window == 0 ? 0 : Math.max(0, end - rows - window + 1);
            parts.add(new Part(
                    at + from,
                    rows,
                    new Place(sequence, from),
                    byHead(q.narrow(0, from, rows)),
                    keys.narrow(2, begin, end - begin),
                    values.narrow(1, begin, end - begin)));
        }
        return parts;
    }

    /** Attention of all parts; what the backward pass needs is added to {@code saved}, four tensors a part. */
    private void attend(Tensor output, List<Part> parts, List<Tensor> saved, AttentionDropout dropout) {
        if (parts.isEmpty()) {
            return;
        }
        List<Tensor> probabilities = softmax()
                .forward(parts.stream()
                        .map(part -> new CausalSoftmaxOp.Block(part.rows, torch.bmm(part.q, part.k)))
                        .toList());
        for (int i = 0; i < parts.size(); i++) {
            Part part = parts.get(i);
            Tensor weights = part.place.drop(probabilities.get(i), dropout);
            intoRows(torch.bmm(weights, part.v), output.narrow(0, part.at, part.rows));
            saved.addAll(List.of(part.q, part.k, part.v, probabilities.get(i)));
        }
    }

    private CausalSoftmaxOp softmax() {
        return new CausalSoftmaxOp(window, scale());
    }

    private double scale() {
        return 1 / Math.sqrt(headDim);
    }

    /** {@code [n, heads * d]} to {@code [kv, g * n, d]}: the heads that share a key head lie side by side. */
    private Tensor byHead(Tensor rows) {
        long n = rows.size(0);
        return rows.view(n, keyHeads, heads / keyHeads, headDim)
                .permute(1, 2, 0, 3)
                .reshape(keyHeads, -1, headDim);
    }

    /** The way back of {@link #byHead}, written into {@code rows}. */
    private void intoRows(Tensor byHead, Tensor rows) {
        long n = rows.size(0);
        rows.view(n, keyHeads, heads / keyHeads, headDim)
                .copy_(byHead.view(keyHeads, heads / keyHeads, n, headDim).permute(2, 0, 1, 3));
    }

    private List<Tensor> backward(Tensor gradient, List<Part> shapes, List<Tensor> saved, AttentionDropout dropout) {
        Tensor dq = torch.empty_like(gradient);
        Tensor dk = gradient.new_zeros(gradient.size(0), (long) keyHeads * headDim);
        Tensor dv = torch.zeros_like(dk);
        List<Part> parts = new ArrayList<>();
        List<CausalSoftmaxOp.Block> probabilities = new ArrayList<>();
        List<CausalSoftmaxOp.Block> dProbabilities = new ArrayList<>();
        for (int i = 0; i < shapes.size(); i++) {
            List<Tensor> of = saved.subList(4 * i, 4 * i + 4);
            Part part = new Part(
                    shapes.get(i).at, shapes.get(i).rows, shapes.get(i).place, of.get(0), of.get(1), of.get(2));
            parts.add(part);
            probabilities.add(new CausalSoftmaxOp.Block(part.rows, of.get(3)));
            Tensor dOut = byHead(gradient.narrow(0, part.at, part.rows));
            Tensor weights = part.place.drop(of.get(3), dropout);
            add(torch.bmm(weights.transpose(1, 2), dOut), part.seen(dv));
            Tensor dWeights = torch.bmm(dOut, part.v.transpose(1, 2));
            dProbabilities.add(new CausalSoftmaxOp.Block(part.rows, part.place.drop(dWeights, dropout)));
        }
        List<Tensor> dScores = softmax().backward(probabilities, dProbabilities);
        for (int i = 0; i < parts.size(); i++) {
            Part part = parts.get(i);
            intoRows(torch.bmm(dScores.get(i), part.k.transpose(1, 2)), dq.narrow(0, part.at, part.rows));
            add(torch.bmm(dScores.get(i).transpose(1, 2), part.q), part.seen(dk));
        }
        return List.of(dq, dk, dv);
    }

    /** Adds {@code [kv, m, d]} to {@code [m, kv * d]}. */
    private void add(Tensor byHead, Tensor rows) {
        rows.view(-1, keyHeads, headDim).add_(byHead.transpose(0, 1));
    }
}
