package io.lorica.model;

import io.lorica.tensor.Scope;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * Attention in both directions over packed sequences: {@code dropout(softmax(q k^T / sqrt(d))) v}, each sequence for
 * itself. Neighbouring sequences of the same length go through one product.
 *
 * @param name of the module, for the stream of its dropout
 * @param dropout probability with which an attention weight is dropped in training
 */
public record BidirectionalAttention(String name, int heads, int headDim, double dropout) {

    /**
     * @param q {@code [T, heads * headDim]}, as are {@code k} and {@code v}
     * @return {@code [T, heads * headDim]}, owned by the caller's innermost scope
     */
    public Tensor forward(Tensor q, Tensor k, Tensor v, Batch batch, Pass pass) {
        batch.observe(new AttentionObserver.Operands(name, heads, heads, headDim, q, k, v));
        try (Scope scope = Scope.open()) {
            List<Tensor> outputs = new ArrayList<>();
            int[] lengths = batch.lengths();
            int at = 0;
            for (int i = 0; i < lengths.length; ) {
                int first = i;
                while (i < lengths.length && lengths[i] == lengths[first]) {
                    i++;
                }
                int count = i - first;
                int tokens = count * lengths[first];
                outputs.add(attend(
                        split(q.narrow(0, at, tokens), count),
                        split(k.narrow(0, at, tokens), count),
                        split(v.narrow(0, at, tokens), count),
                        count,
                        pass,
                        name + "#" + first));
                at += tokens;
            }
            return scope.keep(
                    outputs.size() == 1
                            ? outputs.getFirst()
                            : torch.cat(new TensorVector(outputs.toArray(Tensor[]::new)), 0));
        }
    }

    /** {@code [count * n, heads * d]} to {@code [count * heads, n, d]}. */
    private Tensor split(Tensor x, int count) {
        return x.reshape(count, -1, heads, headDim)
                .transpose(1, 2)
                .reshape((long) count * heads, x.size(0) / count, headDim);
    }

    private Tensor attend(Tensor q, Tensor k, Tensor v, int count, Pass pass, String stream) {
        Tensor scores;
        try (Scalar scale = new Scalar(1 / Math.sqrt(headDim))) {
            scores = torch.bmm(q.mul(scale), k.transpose(1, 2));
        }
        Tensor weights = pass.dropout(torch.softmax(scores, -1), dropout, stream);
        return torch.bmm(weights, v)
                .view(count, heads, -1, headDim)
                .transpose(1, 2)
                .reshape(-1, (long) heads * headDim);
    }
}
