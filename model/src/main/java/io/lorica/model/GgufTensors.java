package io.lorica.model;

import io.lorica.tensor.GgufFile;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Quantized;
import io.lorica.tensor.Scope;
import io.lorica.tensor.TensorSource;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.SequencedSet;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.Tensor;

/**
 * The tensors of a GGUF file under their Hugging Face names, and in Hugging Face's row order, see
 * {@link GgufLayout}.
 */
final class GgufTensors implements TensorSource {
    private final GgufFile file;
    private final SequencedMap<String, String> stored;
    private final GgufLayout layout;

    private GgufTensors(GgufFile file, SequencedMap<String, String> stored, ModelConfig config) {
        this.file = file;
        this.stored = stored;
        this.layout = GgufLayout.of(config);
    }

    static GgufTensors open(Path path, ModelConfig config) {
        GgufFile file = GgufFile.open(path);
        try {
            return new GgufTensors(file, names(file, path), config);
        } catch (RuntimeException e) {
            file.close();
            throw e;
        }
    }

    /** Hugging Face name to GGUF name. */
    private static SequencedMap<String, String> names(GgufFile file, Path path) {
        SequencedMap<String, String> names = new LinkedHashMap<>();
        List<String> unknown = new ArrayList<>();
        for (String name : file.names()) {
            // The rotary divisors are in the configuration already.
            if (!name.equals(GgufRope.DIVISORS)) {
                GgufLayout.huggingFaceName(name)
                        .ifPresentOrElse(known -> names.put(known, name), () -> unknown.add(name));
            }
        }
        if (!unknown.isEmpty()) {
            throw new LoricaException.Unsupported(path + ": " + unknown.size()
                    + " tensors belong to no part of this architecture that Lorica knows: "
                    + String.join(", ", unknown.subList(0, Math.min(8, unknown.size())))
                    + "; use the model's Hugging Face directory instead");
        }
        return names;
    }

    @Override
    public Map<String, String> metadata() {
        return file.metadata();
    }

    @Override
    public SequencedSet<String> names() {
        return Collections.unmodifiableSequencedMap(stored).sequencedKeySet();
    }

    @Override
    public TensorInfo info(String name) {
        return file.info(stored(name));
    }

    @Override
    public Tensor read(String name) {
        if (!layout.reordered(name)) {
            return file.read(stored(name));
        }
        try (Scope scope = Scope.open()) {
            return scope.keep(layout.read(name, file.read(stored(name))));
        }
    }

    @Override
    public Optional<Quantized> quantized(String name) {
        if (!layout.reordered(name)) {
            return file.quantized(stored(name));
        }
        long rows = info(name).shape()[0];
        long count = layout.headsOf(name);
        if (count == 0 || rows % (2 * count) != 0) {
            return Optional.empty(); // Weights reports the shape
        }
        long half = rows / count / 2;
        long[] order = LongStream.range(0, rows)
                .map(row -> row / (2 * half) * 2 * half + row % half * 2 + row / half % 2)
                .toArray();
        return file.quantized(stored(name), order);
    }

    @Override
    public void unload() {
        file.unload();
    }

    private String stored(String name) {
        String known = stored.get(name);
        if (known == null) {
            throw new LoricaException.NotFound("the GGUF file holds no tensor for '" + name + "'");
        }
        return known;
    }

    @Override
    public void close() {
        file.close();
    }
}
