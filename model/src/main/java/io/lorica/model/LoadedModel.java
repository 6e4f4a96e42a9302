package io.lorica.model;

import io.lorica.tensor.DType;
import java.util.SequencedMap;

/** What every family's model has in common: a configuration, and weights that it owns. */
public abstract class LoadedModel implements BaseModel {
    private final ModelConfig config;
    private final Weights weights;

    protected LoadedModel(ModelConfig config, Weights weights) {
        this.config = config;
        this.weights = weights;
    }

    @Override
    public final ModelConfig config() {
        return config;
    }

    @Override
    public final DType dtype() {
        return weights.dtype();
    }

    @Override
    public final WeightFormat weightFormat() {
        return weights.format();
    }

    @Override
    public final SequencedMap<String, Site> sites() {
        return weights.sites();
    }

    @Override
    public final SequencedMap<String, Parameter> parameters() {
        return weights.parameters();
    }

    @Override
    public final SequencedMap<String, String> ignored() {
        return weights.ignored();
    }

    @Override
    public final void close() {
        weights.close();
    }
}
