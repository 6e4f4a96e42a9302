package io.lorica.serve;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.Adapter;
import io.lorica.adapter.AdapterConfig;
import io.lorica.adapter.Trainable;
import io.lorica.model.CausalModel;
import io.lorica.model.ModelConfig;
import io.lorica.model.ModelLoader;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.TensorFiles;
import io.lorica.tensor.Tensors;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;

/** The tiny random models of the model module's tests, and adapters for them with noise in every tensor. */
public final class TinyModels {
    private static final ObjectMapper JSON = new ObjectMapper();

    private TinyModels() {}

    public static CausalModel open(String fixture, DType dtype) {
        Path directory = Path.of("..", "model", "src", "test", "resources", "fixtures", fixture);
        try {
            ModelConfig config = new ModelConfig(
                    JSON.readTree(directory.resolve("config.json").toFile()), directory.toString());
            return (CausalModel) ModelLoader.load(TensorFiles.openModel(directory), config, dtype);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** An adapter that PEFT wrote for one of these models. */
    public static Path peft(String name) {
        return Path.of("..", "adapter", "src", "test", "resources", "peft", name);
    }

    /**
     * @param settings as JSON, with single quotes
     * @param seed of the noise: the same seed gives the same adapter on any copy of the model
     */
    public static Adapter adapter(CausalModel model, String method, String settings, long seed) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            ObjectNode json = (ObjectNode) JSON.readTree(settings.replace('\'', '"'));
            Adapter adapter = Adapter.create(model, AdapterConfig.of(method, json), new Seed(seed));
            for (Trainable trainable : adapter.trainables()) {
                trainable
                        .tensor()
                        .add_(Tensors.empty(DType.F32, Tensors.shape(trainable.tensor()))
                                .normal_(
                                        0,
                                        0.1,
                                        new Seed(seed).of(trainable.name()).generator()));
            }
            return adapter;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
