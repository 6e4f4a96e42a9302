package io.lorica.adapter.randlora;

import io.lorica.adapter.Shared;
import io.lorica.model.Site;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.SeededBasis;
import io.lorica.tensor.Tensors;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * The frozen random bases of all sites: together about as large as the largest adapted weight, once for the model.
 *
 * <p>With {@code D} and {@code d} the larger and the smaller of the largest output and the largest input, {@code n = ceil(d /
 * r)}: divided by their standard deviation, so that it is 1.
 *
 * @param a {@code [r, 1, d]} float32, one for all bases
 * @param b {@code [D, n, r]} float32
 * @param inFile whether they are saved; else {@code projection_prng_key} brings them back bit by bit
 */
record RandloraBases(Tensor a, Tensor b, boolean inFile) implements Shared {

    /**
     * Draws the numbers that PEFT draws for the same key and sites: A first, then B basis by basis. PEFT draws dense bases in
     * bfloat16 and divides there, which is why these numbers are coarse.
     */
    static RandloraBases draw(RandloraConfig config, List<Site> sites) {
        long in = sites.stream().mapToLong(Site::in).max().orElseThrow();
        long out = sites.stream().mapToLong(Site::out).max().orElseThrow();
        long large = Math.max(in, out);
        long small = Math.min(in, out);
        long n = config.bases(in, out);
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled();
                SeededBasis basis = new SeededBasis(config.projectionKey())) {
            if (config.sparse() || config.verySparse()) {
                double s = config.verySparse() ? Math.sqrt((double) small) : 3;
                Tensor a = ternary(basis.unit(config.r(), 1, small), s);
                return of(a, ternary(basis.unit(large, n, config.r()), s), config);
            }
            Tensor a = basis.uniform(DType.BF16, SeededBasis.linearBound(small), config.r(), 1, small);
            List<Tensor> slices = new ArrayList<>();
            for (long i = 0; i < n; i++) {
                slices.add(basis.uniform(DType.BF16, SeededBasis.linearBound(config.r()), large, 1, config.r()));
            }
            return of(a, torch.cat(new TensorVector(slices.toArray(Tensor[]::new)), 1), config);
        }
    }

    /** -1 with probability {@code 1 / 2s}, 1 likewise, else 0. */
    private static Tensor ternary(Tensor unit, double s) {
        try (Scalar low = new Scalar(1 / (2 * s));
                Scalar high = new Scalar(1 - 1 / (2 * s))) {
            return Tensors.to(unit.gt(high), DType.F32).sub(Tensors.to(unit.lt(low), DType.F32));
        }
    }

    private static RandloraBases of(Tensor a, Tensor b, RandloraConfig config) {
        return new RandloraBases(unitDeviation(a), unitDeviation(b), config.saveProjection());
    }

    private static Tensor unitDeviation(Tensor tensor) {
        return Scope.release(Tensors.to(tensor.div(tensor.std(true)), DType.F32));
    }

    /** A for a site whose smaller side is {@code d}: {@code [r, d]}. */
    Tensor a(long d) {
        return a.select(1, 0).narrow(1, 0, d);
    }

    /** The first n bases for a site whose larger side is {@code large}: {@code [large, n r]}, column {@code b r + k}. */
    Tensor b(long large, long n) {
        return b.view(b.size(0), -1).narrow(0, 0, large).narrow(1, 0, n * b.size(2));
    }

    @Override
    public SequencedMap<String, Tensor> tensors() {
        SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
        tensors.put("randlora_A", a);
        tensors.put("randlora_B", b);
        return tensors;
    }

    @Override
    public SequencedMap<String, Tensor> saved() {
        return inFile ? tensors() : new LinkedHashMap<>();
    }
}
