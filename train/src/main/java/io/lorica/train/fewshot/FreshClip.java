package io.lorica.train.fewshot;

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
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/**
 * First values of a CLIP that is trained from nothing: tables {@code normal(0, 0.02)}, maps {@code normal(0, 1 /
 * sqrt(inputs))}, gains 1, biases 0, the logit scale {@code ln(1 / 0.07)} (Radford et al. 2021, section 2.4).
 */
record FreshClip(SequencedMap<String, long[]> shapes, Seed seed) implements TensorSource {
    private static final double LOGIT_SCALE = 2.6592;

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
            Tensor tensor = Tensors.zeros(DType.F32, shape);
            if (name.equals("logit_scale")) {
                tensor.fill_(new Scalar(LOGIT_SCALE));
            } else if (name.matches(".*(norm|norm[12])\\.weight")) {
                tensor.fill_(new Scalar(1.0));
            } else if (!name.endsWith(".bias")) {
                GeneratorOptional generator = seed.of(name).generator();
                tensor.normal_(0, deviation(name, shape), generator);
            }
            return scope.keep(tensor);
        }
    }

    private static double deviation(String name, long[] shape) {
        boolean table = name.contains("_embedding") && shape.length < 4;
        long inputs = Arrays.stream(shape).skip(1).reduce(1, Math::multiplyExact);
        return table ? 0.02 : 1 / Math.sqrt((double) inputs);
    }

    @Override
    public void close() {
        // Nothing is open: every tensor is drawn when it is read.
    }
}
