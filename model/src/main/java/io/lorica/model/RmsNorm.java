package io.lorica.model;

import io.lorica.tensor.DType;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/**
 * Root-mean-square normalisation {@code w * x / sqrt(mean(x^2) + eps)} over the last dimension, the mean in float32
 * (Zhang and Sennrich, 2019).
 */
public record RmsNorm(Parameter weight, double eps) {

    /** The norm with {@code name.weight}, {@code [width]}. */
    public static RmsNorm of(Weights weights, String name, long width, double eps) {
        return new RmsNorm(weights.parameter(name + ".weight", width), eps);
    }

    /** {@code [T, hidden]} to {@code [T, hidden]}, same dtype, owned by the caller's innermost scope. */
    public Tensor forward(Tensor x) {
        try (Scope scope = Scope.open();
                Scalar epsilon = new Scalar(eps)) {
            Tensor wide = Tensors.to(x, DType.F32);
            Tensor inverse =
                    wide.square().mean(new long[] {-1}, true, null).add(epsilon).rsqrt();
            Tensor normal = Tensors.to(wide.mul(inverse), DType.of(x));
            return scope.keep(normal.mul(weight.value()));
        }
    }
}
