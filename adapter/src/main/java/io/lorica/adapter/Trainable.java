package io.lorica.adapter;

import org.bytedeco.pytorch.Tensor;

/**
 * A tensor that training moves.
 *
 * @param name its full key in the adapter file
 * @param tensor float32 leaf that requires gradients; stays the same object as long as it learns
 */
public record Trainable(String name, Tensor tensor, Role role) {

    /**
     * Groups of the optimizer. LoRA+ gives A the learning rate, B the rate times {@code loraplus_lr_ratio}, EMBEDDING
     * {@code loraplus_lr_embedding}; MODULE counts as A, but as B when {@link #tensor} has one dimension.
     */
    public enum Role {
        /** Factor at the input, or anything without a group of its own. */
        A,
        /** Factor at the output, and every vector. */
        B,
        /** Factor of an embedding. */
        EMBEDDING,
        /** Bias, or a whole module that is trained and saved. */
        MODULE
    }
}
