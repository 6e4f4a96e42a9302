package io.lorica.train;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.Adapter;
import io.lorica.adapter.AdapterConfig;
import io.lorica.adapter.AdapterStack;
import io.lorica.adapter.Options;
import io.lorica.adapter.Trainable;
import io.lorica.model.CausalModel;
import io.lorica.model.ModelLoader;
import io.lorica.model.WeightFormat;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import io.lorica.train.data.Example;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** A random Llama of 30 thousand parameters, an active adapter on it, and examples to learn from. */
final class TinyRun implements AutoCloseable {
    static final String ALL_LINEAR = "{'r': 4, 'lora_alpha': 8, 'target_modules': 'all-linear'}";
    private static final PretrainConfig SIZES = new PretrainConfig(64, 32, 48, 2, 4, 2, 64);

    private final CausalModel model;
    private final AdapterStack stack;
    private final AdapterTrainee trainee;

    private TinyRun(CausalModel model, AdapterStack stack, AdapterTrainee trainee) {
        this.model = model;
        this.stack = stack;
        this.trainee = trainee;
    }

    static TinyRun open() {
        return open(DType.F32, ALL_LINEAR);
    }

    static TinyRun open(DType dtype, String settings) {
        return open(dtype, "lora", settings);
    }

    static TinyRun open(DType dtype, String method, String settings) {
        return open(dtype, WeightFormat.DENSE, method, settings);
    }

    static TinyRun open(DType dtype, WeightFormat format, String method, String settings) {
        CausalModel model = model(dtype, format);
        Adapter adapter = Adapter.create(model, AdapterConfig.of(method, json(settings)), new Seed(1));
        AdapterStack stack = new AdapterStack(model).add("test", adapter);
        stack.activate("test");
        return new TinyRun(model, stack, new AdapterTrainee(model, adapter, new Seed(2)));
    }

    static CausalModel model(DType dtype) {
        return model(dtype, WeightFormat.DENSE);
    }

    private static CausalModel model(DType dtype, WeightFormat format) {
        FreshWeights weights = new FreshWeights(SIZES.shapes(64), SIZES.numHiddenLayers(), new Seed(5));
        return (CausalModel) ModelLoader.load(weights, SIZES.modelConfig(64, 1, 2, 0), dtype, format);
    }

    /** Moves what is trained away from its start, where B is zero and half of the gradients with it. */
    TinyRun shaken() {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            for (Trainable trainable : trainee.trainables()) {
                Tensor noise = Tensors.empty(DType.F32, Tensors.shape(trainable.tensor()))
                        .normal_(0, 0.2, new Seed(3).of(trainable.name()).generator());
                trainable.tensor().add_(noise);
            }
        }
        return this;
    }

    CausalModel model() {
        return model;
    }

    AdapterTrainee trainee() {
        return trainee;
    }

    Trainer.Outcome train(Path directory, TrainConfig config, boolean resume) {
        return train(directory, config, resume, TrainListener.SILENT);
    }

    Trainer.Outcome train(Path directory, TrainConfig config, boolean resume, TrainListener listener) {
        return new Trainer(trainee, config, listener).train(examples(24), examples(5), run(directory, resume));
    }

    static Trainer.Run run(Path directory, boolean resume) {
        return new Trainer.Run(directory, Map.of("data", "tiny"), resume);
    }

    /** The gradients of the moment by name, flattened; empty where there is none. */
    SequencedMap<String, float[]> gradients() {
        SequencedMap<String, float[]> gradients = new LinkedHashMap<>();
        try (Scope _ = Scope.open()) {
            for (Trainable trainable : trainee.trainables()) {
                Tensor gradient = trainable.tensor().grad();
                gradients.put(trainable.name(), gradient.defined() ? Tensors.floats(gradient) : new float[0]);
            }
        }
        return gradients;
    }

    void clearGradients() {
        try (Scope _ = Scope.open()) {
            trainee.trainables()
                    .forEach(trainable -> trainable.tensor().mutable_grad().reset());
        }
    }

    SequencedMap<String, float[]> weights() {
        SequencedMap<String, float[]> weights = new LinkedHashMap<>();
        trainee.state().forEach((name, tensor) -> weights.put(name, Tensors.floats(tensor)));
        return weights;
    }

    /** The largest absolute difference; infinite where the lengths differ or the other is missing. */
    static double difference(float[] left, float @Nullable [] right) {
        double largest = right != null && left.length == right.length ? 0 : Double.POSITIVE_INFINITY;
        for (int i = 0; right != null && i < Math.min(left.length, right.length); i++) {
            largest = Math.max(largest, Math.abs((double) left[i] - right[i]));
        }
        return largest;
    }

    /** Sequences that count upwards from a random start, learnt from the third token on; lengths 4 to 12. */
    static List<Example> examples(int count) {
        Random random = new Random(count);
        List<Example> examples = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            long[] tokens = new long[4 + random.nextInt(9)];
            boolean[] supervised = new boolean[tokens.length];
            int start = random.nextInt(40);
            for (int j = 0; j < tokens.length; j++) {
                tokens[j] = 3 + (start + j) % 50;
                supervised[j] = j >= 2;
            }
            examples.add(Example.ofTokens(tokens, supervised));
        }
        return examples;
    }

    /** Defaults but for float32, one thread and these settings. */
    static TrainConfig config(String settings) {
        ObjectNode json = json(settings);
        json.put("dtype", "float32");
        return TrainConfig.parse(new Options(json, "test"));
    }

    static ObjectNode json(String text) {
        try {
            return (ObjectNode) new ObjectMapper().readTree(text.replace('\'', '"'));
        } catch (JsonProcessingException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        stack.close();
        model.close();
    }
}
