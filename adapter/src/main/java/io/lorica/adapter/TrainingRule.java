package io.lorica.adapter;

import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** What a method changes about the training loop. Called on the training thread, in the order written here. */
public interface TrainingRule {

    TrainingRule PLAIN = new TrainingRule() {};

    /** Before the first micro-batch of an optimizer step (sample a rank, choose the layers that are awake). */
    default void beforeStep(long step, long totalSteps) {}

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
