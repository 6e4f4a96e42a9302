package io.lorica.adapter;

import org.bytedeco.pytorch.Tensor;

/**
 * A tensor that training moves.
 *
 * @param name its full key in the adapter file
 * @param tensor float32 leaf
 */
public record Trainable(String name, Tensor tensor, Role role) {

    /** Groups of the optimizer (LoRA+ gives them learning rates of their own). */
    public enum Role {
        /** Factor at the input, or anything without a group of its own. */
        A,
        /** Factor at the output, and every vector. */
        B,
        EMBEDDING,
        /** Bias, or a whole module that is trained and saved. */
        MODULE
    }
}
