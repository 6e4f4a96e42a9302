package io.lorica.adapter;

import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** What a method changes about the training loop. Called on the training thread, in the order written here. */
public interface TrainingRule {

    TrainingRule PLAIN = new TrainingRule() {};

    /**
     * Share of the training examples that the loop leaves to this rule at a step, below 1. They are the same examples
     * whenever it is not 0, spread evenly over the data.
     */
    default double lent(long step, long totalSteps) {
        return 0;
    }

    /** Hands over those examples, before the first step that leaves any. */
    default void borrow(Calibration examples) {}

    /**
     * Before a checkpoint of {@code step} steps is read back into what the adapter holds: makes the tensors that are in
     * it, where they are not those of a fresh adapter.
     */
    default void resumeAt(long step) {}

    /** After the adapter's tensors were read back, before the optimizer's moments are. */
    default void restored() {}

    /**
     * Before the first micro-batch of an optimizer step (sample a rank, choose the layers that are awake). The adapter's
     * trainables may be others afterwards: new tensors start with fresh moments, missing ones lose theirs.
     */
    default void beforeStep(long step, long totalSteps) {}

    /**
     * A loss on what happens inside one micro-batch's pass, which travels with it; null for none.
     *
     * @param share the micro-batch's part of the optimizer step, by tokens; the parts of a step sum to 1
     * @param lengths tokens of each of its sequences
     */
    default @Nullable PassLoss passLoss(double share, int[] lengths) {
        return null;
    }

    /** A scalar added to the loss once per optimizer step, or null. Owned by the caller's innermost scope. */
    default @Nullable Tensor extraLoss() {
        return null;
    }

    /** After the gradients of a step are complete and before the optimizer moves (project or mask gradients). */
    default void beforeUpdate(long step) {}

    /** Factor on the learning rate of one tensor for this step. */
    default double learningRateFactor(Trainable trainable) {
        return 1;
    }

    /** After the optimizer moved and before gradients are cleared (prune ranks, project weights). */
    default void afterUpdate(long step) {}
}
