package io.lorica.model;

import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Names;
import io.lorica.tensor.Seed;
import io.lorica.tensor.TensorSource;
import java.util.ServiceLoader;
import java.util.SortedMap;
import java.util.TreeMap;

/** Builds a base model from its tensors and its {@code config.json}, with whatever family knows its {@code model_type}. */
public final class ModelLoader {
    private ModelLoader() {}

    /**
     * Loads a model as its configuration describes it.
     *
     * @param source becomes the model's and is closed with it, or at once if loading fails
     * @param dtype what the weights compute in; weights stored in that type stay mapped and are not copied
     * @throws LoricaException.Unsupported if no family knows the model type
     * @throws LoricaException.BadInput naming every tensor that is missing, misshapen or read by no module
     */
    public static BaseModel load(TensorSource source, ModelConfig config, DType dtype) {
        return load(source, config, dtype, WeightFormat.DENSE);
    }

    /**
     * As {@link #load(TensorSource, ModelConfig, DType)}, with the weights held in a format of fewer bits.
     *
     * @throws LoricaException.BadInput if the dtype, or every weight of the checkpoint, does not fit the format
     */
    public static BaseModel load(TensorSource source, ModelConfig config, DType dtype, WeightFormat format) {
        try {
            requireComputable(config, dtype);
            format.requireComputable(dtype);
            ModelFamily family = family(config);
            return build(family, config, new Weights(family.named(config, source), dtype, format));
        } catch (RuntimeException e) {
            source.close();
            throw e;
        }
    }

    /**
     * Loads an encoder or a decoder as a classifier. A head that the checkpoint lacks is made fresh: weights from
     * {@code normal(0, initializer_range)}, biases 0, as transformers makes it.
     *
     * @param labels number of scores, 1 for regression
     * @param seed of the fresh head
     * @throws LoricaException.Incompatible if the checkpoint has a head for another number of labels
     */
    public static ClassifierModel loadClassifier(
            TensorSource source, ModelConfig config, DType dtype, int labels, Seed seed) {
        try {
            requireComputable(config, dtype);
            if (labels < 1) {
                throw new LoricaException.BadInput("a classifier needs at least 1 label, not " + labels);
            }
            ModelFamily family = family(config);
            ModelConfig classifier = FreshHead.configure(config, labels);
            TensorSource named = family.named(classifier, source);
            FreshHead whole = new FreshHead(named, family.classificationHead(config, labels), config, seed);
            return (ClassifierModel) build(family, classifier, new Weights(whole, dtype));
        } catch (RuntimeException e) {
            source.close();
            throw e;
        }
    }

    /**
     * A model inside another, such as the language model of one that sees images, by the family that knows its own
     * {@code model_type}.
     *
     * @param weights {@link Weights#part a part} of the whole's; the whole finishes and closes them
     */
    public static BaseModel part(ModelConfig config, Weights weights) {
        return family(config).build(config, weights);
    }

    /**
     * What one of several ranks computes of a model.
     *
     * @throws LoricaException.Unsupported if its family cannot be split, or its weights are held quantized
     */
    public static Shard shard(BaseModel whole, int rank, int ranks) {
        if (whole.weightFormat().quantized()) {
            throw new LoricaException.Unsupported(whole.config().where() + ": weights held as " + whole.weightFormat()
                    + " cannot be split among ranks; hold them dense");
        }
        return family(whole.config()).shard(whole.config(), rank, ranks);
    }

    /** A rank's part as a model of its own, whose weights are cut from the whole; that must be closed after it. */
    public static BaseModel part(BaseModel whole, Shard shard) {
        ModelConfig config = shard.config();
        return build(family(config), config, new Weights(new ShardSource(whole, shard), whole.dtype()));
    }

    private static BaseModel build(ModelFamily family, ModelConfig config, Weights weights) {
        try {
            return family.build(config, weights);
        } catch (RuntimeException e) {
            weights.close();
            throw e;
        }
    }

    private static void requireComputable(ModelConfig config, DType dtype) {
        switch (dtype) {
            case F64, F32, BF16, F16 -> {}
            default ->
                throw new LoricaException.BadInput(
                        "a model cannot compute in " + dtype + "; use float32, bfloat16, float16 or float64");
        }
        if (config.has("quantization_config")) {
            throw new LoricaException.Unsupported(config.where()
                    + ": the weights are stored quantized (key 'quantization_config'); use the unquantized checkpoint"
                    + " or a GGUF file");
        }
    }

    private static ModelFamily family(ModelConfig config) {
        SortedMap<String, ModelFamily> families = new TreeMap<>();
        for (ModelFamily family : ServiceLoader.load(ModelFamily.class, ModelFamily.class.getClassLoader())) {
            family.modelTypes().forEach(type -> families.put(type, family));
        }
        String type = config.modelType();
        ModelFamily family = families.get(type);
        if (family == null) {
            throw new LoricaException.Unsupported(config.where() + ": model_type '" + type + "' is not supported"
                    + Names.didYouMean(type, families.keySet()) + " (known: " + String.join(", ", families.keySet())
                    + ")");
        }
        return family;
    }
}
