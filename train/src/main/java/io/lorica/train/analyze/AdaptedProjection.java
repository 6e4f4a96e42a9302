package io.lorica.train.analyze;

import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/**
 * The projection that makes a head's queries, keys or values, with LoRA on it: {@code P = X (W + s B A)^T}.
 *
 * @param input {@code X: [L, d_in]}
 * @param weight {@code W: [d, d_in]}, frozen
 * @param a {@code A: [r, d_in]}
 * @param b {@code B: [d, r]}
 * @param scaling {@code s = lora_alpha / r}
 */
public record AdaptedProjection(Tensor input, Tensor weight, Tensor a, Tensor b, double scaling) {

    /** Gradients at the factors: {@code dA: [r, d_in]}, {@code dB: [d, r]}. */
    public record Gradient(Tensor dA, Tensor dB) {}

    /** {@code [L, d]}, in the caller's innermost scope. */
    public Tensor value() {
        try (Scope scope = Scope.open()) {
            Tensor update = input.matmul(a.t()).matmul(b.t()).mul(new Scalar(scaling));
            return scope.keep(input.matmul(weight.t()).add(update));
        }
    }

    /**
     * {@code dB = s dP^T (X A^T)}, {@code dA = s (dP B)^T X}: linear in {@code L}, and {@code dP^T X} of the size of the
     * weight is never built.
     *
     * @param gradient {@code dP: [L, d]}
     */
    public Gradient gradient(Tensor gradient) {
        try (Scope scope = Scope.open();
                Grad _ = Grad.disabled()) {
            Scalar s = new Scalar(scaling);
            Tensor dB = gradient.t().matmul(input.matmul(a.t())).mul(s);
            Tensor dA = gradient.matmul(b).t().matmul(input).mul(s);
            return new Gradient(scope.keep(dA), scope.keep(dB));
        }
    }
}
