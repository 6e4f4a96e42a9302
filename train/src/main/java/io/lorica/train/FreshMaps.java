package io.lorica.train;

import io.lorica.tensor.DType;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.TensorSource;
import io.lorica.tensor.Tensors;
import java.util.Arrays;
import java.util.Collections;
import java.util.Map;
import java.util.SequencedMap;
import java.util.SequencedSet;
import org.bytedeco.pytorch.Tensor;

/** First values of a model that is trained from nothing: maps {@code normal(0, 1 / sqrt(inputs))}, gains 1, biases 0. */
public record FreshMaps(SequencedMap<String, long[]> shapes, Seed seed) implements TensorSource {

    @Override
    public Map<String, String> metadata() {
        return Map.of();
    }

    @Override
    public SequencedSet<String> names() {
        return Collections.unmodifiableSequencedMap(shapes).sequencedKeySet();
    }

    @Override
    public TensorInfo info(String name) {
        long[] shape = shapes.getOrDefault(name, new long[0]);
        return new TensorInfo("F32", shape, 4 * Arrays.stream(shape).reduce(1, Math::multiplyExact));
    }

    @Override
    public Tensor read(String name) {
        long[] shape = info(name).shape();
        try (Scope scope = Scope.open()) {
            if (shape.length == 1) {
                return scope.keep(
                        name.endsWith(".bias") ? Tensors.zeros(DType.F32, shape) : Tensors.ones(DType.F32, shape));
            }
            long inputs = Arrays.stream(shape).skip(1).reduce(1, Math::multiplyExact);
            double deviation = 1 / Math.sqrt((double) inputs);
            return scope.keep(Tensors.empty(DType.F32, shape)
                    .normal_(0, deviation, seed.of(name).generator()));
        }
    }

    @Override
    public void close() {
        // Nothing is open: every tensor is drawn when it is read.
    }
}
