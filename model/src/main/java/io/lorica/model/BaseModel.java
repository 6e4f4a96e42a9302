package io.lorica.model;

import io.lorica.tensor.DType;
import java.util.LinkedHashMap;
import java.util.SequencedMap;

/**
 * A frozen base model: weights under their checkpoint names, and the sites where adapters may act.
 *
 * <p>Not safe for use by several threads at once: one thread owns a model.
 */
public interface BaseModel extends AutoCloseable {

    ModelConfig config();

    /** The type the frozen weights compute in. */
    DType dtype();

    /** How the frozen weights are held in memory. */
    default WeightFormat weightFormat() {
        return WeightFormat.DENSE;
    }

    /** Every linear map and embedding by name, in the order of the forward pass. */
    SequencedMap<String, Site> sites();

    /** Its gated feed-forward blocks by module name, in the order of the forward pass; none for a model that has others. */
    default SequencedMap<String, FeedForward> feedForwards() {
        return new LinkedHashMap<>();
    }

    /** Every weight by checkpoint name, those of sites included. */
    SequencedMap<String, Parameter> parameters();

    /**
     * Tensors of the checkpoint that this model does not use, each with the reason why that is harmless. What is
     * neither used nor known to be harmless is an error when the model is loaded.
     */
    default SequencedMap<String, String> ignored() {
        return new LinkedHashMap<>();
    }

    /** The site that PEFT's {@code all-linear} leaves out: the output head, by name; empty when there is none. */
    String outputHead();

    /** Frees the weights. No tensor of this model may be used afterwards. */
    @Override
    void close();
}
