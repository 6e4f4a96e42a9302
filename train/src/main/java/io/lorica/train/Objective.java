package io.lorica.train;

import io.lorica.model.Batch;
import io.lorica.model.CausalModel;
import io.lorica.model.ClassifierModel;
import io.lorica.model.Pass;
import io.lorica.model.Transformer;
import io.lorica.tensor.LoricaException;
import org.bytedeco.pytorch.Tensor;

/**
 * What training lowers: a loss on the last hidden states of a micro-batch. The loss of an optimizer step is the sum over
 * its targets divided by their count {@code n}, so that any split into micro-batches sums to the same.
 */
interface Objective {

    /**
     * Adds the micro-batch's gradients to the leaves behind {@code hidden} and in the head.
     *
     * @param hidden {@code [T, hidden]}, the output of {@link Transformer#finish}
     * @param targetsInStep {@code n}
     * @return the micro-batch's part of the step's loss
     */
    double backward(Tensor hidden, Batch batch, MicroBatch micro, long targetsInStep, Pass pass);

    /** Loss of the micro-batch without gradients, summed over its targets. */
    double sum(Tensor hidden, Batch batch, MicroBatch micro, Pass pass);

    /** The next token for a decoder, the label for a classifier. */
    static Objective of(Transformer model) {
        return switch (model) {
            case CausalModel causal -> new TokenLoss(causal);
            case ClassifierModel classifier -> new LabelLoss(classifier);
            default ->
                throw new LoricaException.Unsupported("a bare " + model.config().modelType()
                        + " encoder has no head, so there is nothing to train it for; give rows with a label (task_type"
                        + " SEQ_CLS)");
        };
    }
}
