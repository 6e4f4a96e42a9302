package io.lorica.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.TensorSource;
import io.lorica.tensor.Tensors;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.SequencedMap;
import java.util.SequencedSet;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.Tensor;

/** A checkpoint completed by the tensors of a new classification head; those the checkpoint has stay as they are. */
final class FreshHead implements TensorSource {
    private final TensorSource source;
    private final SequencedMap<String, long[]> fresh = new LinkedHashMap<>();
    private final double deviation;
    private final Seed seed;

    FreshHead(TensorSource source, SequencedMap<String, long[]> head, ModelConfig config, Seed seed) {
        this.source = source;
        this.seed = seed;
        deviation = config.number("initializer_range", 0.02);
        head.forEach((name, shape) -> {
            if (!source.names().contains(name)) {
                fresh.put(name, shape);
            } else if (!Arrays.equals(source.info(name).shape(), shape)) {
                throw new LoricaException.Incompatible(config.where() + ": the checkpoint's '" + name + "' has shape "
                        + Arrays.toString(source.info(name).shape()) + ", but the labels asked for need "
                        + Arrays.toString(shape) + "; ask for as many labels as it was trained on");
            }
        });
    }

    /** The configuration of the same model as a classifier, as transformers writes it. */
    static ModelConfig configure(ModelConfig config, int labels) {
        ObjectNode json = config.json().deepCopy();
        String type = config.modelType();
        String name = Character.toUpperCase(type.charAt(0)) + type.substring(1);
        json.putArray("architectures").add(name + "ForSequenceClassification");
        ModelConfig classifier = new ModelConfig(json, config.where());
        return labels == json.path("id2label").size()
                ? classifier
                : classifier.withLabels(IntStream.range(0, labels)
                        .mapToObj(label -> "LABEL_" + label)
                        .toList());
    }

    @Override
    public Map<String, String> metadata() {
        return source.metadata();
    }

    @Override
    public SequencedSet<String> names() {
        SequencedSet<String> names = new LinkedHashSet<>(source.names());
        names.addAll(fresh.keySet());
        return Collections.unmodifiableSequencedSet(names);
    }

    @Override
    public TensorInfo info(String name) {
        long[] shape = fresh.get(name);
        return shape == null
                ? source.info(name)
                : new TensorInfo("F32", shape, 4 * Arrays.stream(shape).reduce(1, Math::multiplyExact));
    }

    @Override
    public Tensor read(String name) {
        long[] shape = fresh.get(name);
        if (shape == null) {
            return source.read(name);
        }
        try (Scope scope = Scope.open()) {
            Tensor tensor = Tensors.zeros(DType.F32, shape);
            if (!name.endsWith(".bias")) {
                GeneratorOptional generator = seed.of(name).generator();
                tensor.normal_(0, deviation, generator);
            }
            return scope.keep(tensor);
        }
    }

    @Override
    public void close() {
        source.close();
    }
}
