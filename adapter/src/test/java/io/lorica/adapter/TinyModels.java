package io.lorica.adapter;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.model.BaseModel;
import io.lorica.model.Batch;
import io.lorica.model.CausalModel;
import io.lorica.model.ClassifierModel;
import io.lorica.model.ModelConfig;
import io.lorica.model.ModelLoader;
import io.lorica.model.ModelStore;
import io.lorica.model.Pass;
import io.lorica.model.VisionLanguageModel;
import io.lorica.model.WeightFormat;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.TensorFiles;
import io.lorica.tensor.Tensors;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;

/** The tiny random models of the model module's tests, and adapters that PEFT wrote for them. */
final class TinyModels {
    private static final ObjectMapper JSON = new ObjectMapper();
    static final long[] PROMPT = {5, 9, 33, 12, 7, 61, 40};

    private TinyModels() {}

    static BaseModel open(String name, DType dtype) {
        return open(name, dtype, WeightFormat.DENSE);
    }

    static BaseModel open(String name, DType dtype, WeightFormat format) {
        Path directory = Path.of("..", "model", "src", "test", "resources", "fixtures", name);
        try {
            ModelConfig config = new ModelConfig(
                    JSON.readTree(directory.resolve("config.json").toFile()), directory.toString());
            return ModelLoader.load(TensorFiles.openModel(directory), config, dtype, format);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A fixture held in a format; for {@code gguf} the fixture that is a GGUF file of quantized blocks. */
    static BaseModel quantized(String name, String format) {
        WeightFormat held = WeightFormat.parse(format);
        return held.equals(WeightFormat.GGUF)
                ? ModelStore.standard()
                        .open(
                                Path.of("..", "model", "src", "test", "resources", "fixtures", "quantized.gguf")
                                        .toString(),
                                DType.F32,
                                held)
                        .model()
                : open(name, DType.F32, held);
    }

    static Path peft(String name) {
        return Path.of("src", "test", "resources", "peft", name);
    }

    static ObjectNode json(String text) {
        try {
            return (ObjectNode) JSON.readTree(text.replace('\'', '"'));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static AdapterConfig config(String method, String settings) {
        return AdapterConfig.of(method, json(settings));
    }

    /** A prompt about one seeded picture, for a model that reads them; the tensors belong to the caller's scope. */
    static Batch aboutPicture(VisionLanguageModel model, long... prompt) {
        long[] shape = {1, model.channels(), model.imageSize(), model.imageSize()};
        Tensor pixels = Tensors.empty(DType.F32, shape).normal_(0, 1, new Seed(17).generator());
        return Batch.of(List.of(model.expand(prompt, 1))).withImages(Tensors.to(pixels, model.dtype()));
    }

    /** Logits of every token (scores of a classifier), row-major. */
    static float[] logits(BaseModel model, long... ids) {
        return logits(model, () -> Batch.of(List.of(ids)));
    }

    static float[] logits(BaseModel model, Supplier<Batch> input) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Batch batch = input.get();
            Tensor answer = switch (model) {
                case CausalModel causal -> causal.logits(batch, Pass.inference());
                case ClassifierModel classifier -> classifier.scores(batch, Pass.inference());
                default -> throw new AssertionError(model.getClass());
            };
            return Tensors.floats(answer);
        }
    }

    static double difference(float[] left, float[] right) {
        double largest = left.length == right.length ? 0 : Double.POSITIVE_INFINITY;
        for (int i = 0; i < Math.min(left.length, right.length); i++) {
            largest = Math.max(largest, Math.abs((double) left[i] - right[i]));
        }
        return largest;
    }

    /** Gives every trained tensor of an adapter seeded noise, so that none is left at zero. */
    static void shake(Adapter adapter, double spread) {
        shake(adapter, spread, new Seed(42));
    }

    static void shake(Adapter adapter, double spread, Seed seed) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            for (Trainable trainable : adapter.trainables()) {
                Tensor noise = Tensors.empty(DType.F32, Tensors.shape(trainable.tensor()))
                        .normal_(0, spread, seed.of(trainable.name()).generator());
                trainable.tensor().add_(noise);
            }
        }
    }
}
