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

/**
 * First values of a model that is trained from nothing: matrices {@code normal(0, 0.02)}, those that write into the
 * residual stream narrower by {@code 1 / sqrt(2 layers)} (Radford et al., GPT-2, 2019, section 2.3), gains 1.
 */
record FreshWeights(SequencedMap<String, long[]> shapes, int layers, Seed seed) implements TensorSource {

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
                return scope.keep(Tensors.ones(DType.F32, shape));
            }
            boolean residual = name.endsWith("o_proj.weight") || name.endsWith("down_proj.weight");
            double deviation = residual ? 0.02 / Math.sqrt(2.0 * layers) : 0.02;
            return scope.keep(Tensors.empty(DType.F32, shape)
                    .normal_(0, deviation, seed.of(name).generator()));
        }
    }

    @Override
    public void close() {
        // Nothing is open: every tensor is drawn when it is read.
    }
}
