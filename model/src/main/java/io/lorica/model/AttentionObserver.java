package io.lorica.model;

import org.bytedeco.pytorch.Tensor;

/** Sees what the attention of every layer computes with, while it computes; see {@link Batch#observedBy}. */
@FunctionalInterface
public interface AttentionObserver {

    /**
     * Operands of {@code softmax(q k^T / sqrt(headDim)) v}, positions and biases already in them.
     *
     * @param layer number or module name of the layer
     * @param heads query heads
     * @param keyHeads key and value heads; divides {@code heads}, and neighbouring query heads share one
     * @param q {@code [T, heads * headDim]}, sequence after sequence
     * @param k {@code [T, keyHeads * headDim]}
     * @param v {@code [T, keyHeads * headDim]}
     */
    record Operands(String layer, int heads, int keyHeads, int headDim, Tensor q, Tensor k, Tensor v) {}

    /** The tensors live no longer than this call. */
    void see(Operands operands);
}
