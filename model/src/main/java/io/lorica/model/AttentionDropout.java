package io.lorica.model;

import org.bytedeco.pytorch.Tensor;

/**
 * Dropout of attention weights in training.
 *
 * @param probability that a weight is dropped
 * @param module whose weights they are, for the stream of draws
 */
public record AttentionDropout(double probability, String module, Pass pass) {

    /** Every weight stays. */
    static final AttentionDropout NONE = new AttentionDropout(0, "", Pass.inference());

    /** Whether it changes anything in this pass. */
    boolean drops() {
        return probability > 0 && pass.training();
    }

    /** @param from first query of a block of one sequence's queries; each block draws from its own stream */
    Tensor apply(Tensor weights, int sequence, long from) {
        return probability == 0 ? weights : pass.dropout(weights, probability, module + "#" + sequence + "#" + from);
    }
}
