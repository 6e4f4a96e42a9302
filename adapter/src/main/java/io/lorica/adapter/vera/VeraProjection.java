package io.lorica.adapter.vera;

import io.lorica.adapter.Shared;
import io.lorica.model.Site;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.SeededBasis;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;

/**
 * The frozen random pair of all sites, as large as the largest of them; a site takes the first columns of A and the
 * first rows of B.
 *
 * @param a {@code [r, largest in]} float32
 * @param b {@code [largest out, r]} float32
 * @param inFile whether it is saved; else {@code projection_prng_key} brings it back bit by bit
 */
record VeraProjection(Tensor a, Tensor b, boolean inFile) implements Shared {

    /** Kaiming-uniform with gain {@code sqrt 2}, A drawn first: the numbers that PEFT draws for the same key and sites. */
    static VeraProjection draw(VeraConfig config, List<Site> sites) {
        long in = sites.stream().mapToLong(Site::in).max().orElseThrow();
        long out = sites.stream().mapToLong(Site::out).max().orElseThrow();
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled();
                SeededBasis basis = new SeededBasis(config.projectionKey())) {
            double gain = Math.sqrt(2);
            Tensor a = basis.uniform(DType.F32, SeededBasis.kaimingBound(gain, in), config.r(), in);
            Tensor b = basis.uniform(DType.F32, SeededBasis.kaimingBound(gain, config.r()), out, config.r());
            return new VeraProjection(Scope.release(a), Scope.release(b), config.saveProjection());
        }
    }

    @Override
    public SequencedMap<String, Tensor> tensors() {
        SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
        tensors.put("vera_A", a);
        tensors.put("vera_B", b);
        return tensors;
    }

    @Override
    public SequencedMap<String, Tensor> saved() {
        return inFile ? tensors() : new LinkedHashMap<>();
    }
}
