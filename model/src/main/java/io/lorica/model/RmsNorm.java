package io.lorica.model;

import io.lorica.tensor.fused.RmsNormOp;
import org.bytedeco.pytorch.Tensor;

/** Root-mean-square normalisation with its weight; see {@link RmsNormOp}. */
public record RmsNorm(Parameter weight, double eps) {

    /** The norm with {@code name.weight}, {@code [width]}. */
    public static RmsNorm of(Weights weights, String name, long width, double eps) {
        return new RmsNorm(weights.parameter(name + ".weight", width), eps);
    }

    /** {@code [T, hidden]} to {@code [T, hidden]}, same dtype, owned by the caller's innermost scope. */
    public Tensor forward(Tensor x) {
        return RmsNormOp.apply(x, weight.value(), eps);
    }
}
