package io.lorica.model;

import io.lorica.tensor.LoricaException;
import io.lorica.tensor.TensorSource;
import java.util.SequencedMap;
import java.util.Set;

/**
 * A model architecture. A new one is a package with a class that implements this, named in the service file
 * {@code META-INF/services/io.lorica.model.ModelFamily}.
 */
public interface ModelFamily {

    /** Values of {@code model_type} in {@code config.json} that this family reads. */
    Set<String> modelTypes();

    /**
     * The checkpoint's tensors under the names of this family's modules, for families whose checkpoints come in several
     * spellings. Site names must be those that PEFT sees (transformers' module names), whatever the file says.
     */
    default TensorSource named(ModelConfig config, TensorSource source) {
        return source;
    }

    /**
     * Checks the configuration and builds the model. Must call {@link Weights#finish} before returning.
     *
     * @param weights becomes the model's; closed with it
     */
    BaseModel build(ModelConfig config, Weights weights);

    /**
     * The tensors of a classification head, by name and shape, for a checkpoint that has none. Biases start at 0, all
     * else is drawn.
     *
     * @param labels number of scores
     */
    default SequencedMap<String, long[]> classificationHead(ModelConfig config, int labels) {
        throw new LoricaException.Unsupported(config.where() + ": a classification head cannot be put on model_type '"
                + config.modelType() + "'; use bert, roberta or a decoder");
    }

    /** What one of several ranks computes of a model of this family. */
    default Shard shard(ModelConfig config, int rank, int ranks) {
        throw new LoricaException.Unsupported(config.where() + ": a model of type '" + config.modelType()
                + "' cannot be split among ranks; llama, mistral and qwen2 can");
    }
}
