package io.lorica.train.analyze;

import org.bytedeco.pytorch.Tensor;

/**
 * One head of attention without a mask: {@code O = softmax_rows(beta Q K^T) V}.
 *
 * @param q {@code [L, d]} float64
 * @param k {@code [L, d]} float64
 * @param v {@code [L, d_v]} float64
 * @param beta scale of the scores, above 0; {@code 1 / sqrt(d)} in practice, {@code 1 / d} in the theory
 */
public record AttentionHead(Tensor q, Tensor k, Tensor v, double beta) {

    /** Number of queries; that of keys is the same unless only some queries were {@linkplain #queries chosen}. */
    public long length() {
        return q.size(0);
    }

    /** The same head asked only these queries; their rows of {@code O} and {@code dQ} stay the same. */
    public AttentionHead queries(Tensor rows) {
        return new AttentionHead(q.index_select(0, rows), k, v, beta);
    }
}
