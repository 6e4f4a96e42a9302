package io.lorica.model;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.lorica.tensor.DType;
import io.lorica.tensor.SafetensorsFile;
import io.lorica.tensor.Scope;
import io.lorica.tensor.TensorFiles;
import io.lorica.tensor.TensorSource;
import io.lorica.tensor.Tensors;
import java.io.IOException;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/** A tiny model with transformers' answers, written by {@code bench/peers/make_model_fixtures.py}. */
public record Fixture(Path directory) {

    public static Fixture named(String name) {
        URL url = Objects.requireNonNull(Fixture.class.getResource("/fixtures/" + name), name);
        try {
            return new Fixture(Path.of(url.toURI()));
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    public ModelConfig config() {
        return config("config.json");
    }

    public ModelConfig config(String file) {
        try {
            return new ModelConfig(new ObjectMapper().readTree(Files.readString(directory.resolve(file))), file);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    public TensorSource source() {
        return TensorFiles.openModel(directory);
    }

    public BaseModel load(DType dtype) {
        return ModelLoader.load(source(), config(), dtype);
    }

    /** All values of one kind ({@code ids}, {@code segments}), sequence by sequence. */
    public List<long[]> longs(String kind) {
        try (TensorSource expected = SafetensorsFile.open(directory.resolve("expected.safetensors"));
                Scope _ = Scope.open()) {
            List<long[]> all = new ArrayList<>();
            for (int i = 0; expected.names().contains(kind + "." + i); i++) {
                all.add(Tensors.longs(expected.read(kind + "." + i)));
            }
            return all;
        }
    }

    /** What transformers computed, sequence by sequence, each flattened row by row. */
    public List<float[]> floats(String kind) {
        try (TensorSource expected = SafetensorsFile.open(directory.resolve("expected.safetensors"));
                Scope _ = Scope.open()) {
            List<float[]> all = new ArrayList<>();
            for (int i = 0; expected.names().contains(kind + "." + i); i++) {
                all.add(Tensors.floats(expected.read(kind + "." + i)));
            }
            return all;
        }
    }
}
