package io.lorica.model;

import java.util.Set;

/**
 * A model architecture. A new one is a package with a class that implements this, named in the service file
 * {@code META-INF/services/io.lorica.model.ModelFamily}.
 */
public interface ModelFamily {

    /** Values of {@code model_type} in {@code config.json} that this family reads. */
    Set<String> modelTypes();

    /**
     * Checks the configuration and builds the model. Must call {@link Weights#finish} before returning.
     *
     * @param weights becomes the model's; closed with it
     */
    BaseModel build(ModelConfig config, Weights weights);
}
