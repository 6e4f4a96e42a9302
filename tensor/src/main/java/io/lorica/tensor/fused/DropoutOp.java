package io.lorica.tensor.fused;

import io.lorica.tensor.CustomGradient;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import java.util.List;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Inverted dropout: an element is zero with the given probability, else divided by {@code 1 - probability}. Which are zero
 * follows from the seed and the element's place alone; no mask is kept for the backward pass.
 */
public final class DropoutOp {
    /** Elements of one row; the tensors have no rows of their own here. */
    private static final int CHUNK = 1024;

    private DropoutOp() {}

    /**
     * @param x of any shape
     * @param probability from 0 to below 1
     * @return likewise, owned by the caller's innermost scope
     */
    public static Tensor apply(Tensor x, double probability, Seed seed) {
        if (!Kernels.fit(x) || !x.is_contiguous()) {
            return drawn(x, probability, seed);
        }
        Mask mask = new Mask(seed, probability);
        if (!CustomGradient.records(x)) {
            return masked(x, mask);
        }
        try (Scope scope = Scope.open()) {
            Tensor y;
            try (Grad _ = Grad.disabled()) {
                y = masked(x.detach(), mask);
            }
            return scope.keep(CustomGradient.attach(
                    y, List.of(x), List.of(), (dy, _, _) -> List.of(masked(dy.contiguous(), mask))));
        }
    }

    private static Tensor masked(Tensor x, Mask mask) {
        Tensor y = torch.empty_like(x);
        Kernels.apply(
                x.numel(),
                CHUNK,
                List.of(new Rows(x)),
                List.of(new Rows(y)),
                (chunk, n, buffers) -> mask.apply(buffers[0], 0, n, chunk * CHUNK));
        return y;
    }

    /** With libtorch's generator, where the kernels cannot compute. */
    private static Tensor drawn(Tensor x, double probability, Seed seed) {
        try (GeneratorOptional generator = seed.generator();
                Scalar kept = new Scalar(1 - probability)) {
            Tensor keep = torch.empty_like(x.detach()).bernoulli_(1 - probability, generator);
            return x.mul(keep.div_(kept));
        }
    }
}
