package io.lorica.model;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;

/**
 * Layer normalisation {@code w * (x - mean(x)) / sqrt(var(x) + eps) + b} over the last dimension, mean and variance in
 * float32 (Ba, Kiros and Hinton, 2016).
 */
public record LayerNorm(Parameter weight, Parameter bias, double eps) {

    /** The norm with {@code name.weight} and {@code name.bias}, both {@code [width]}. */
    public static LayerNorm of(Weights weights, String name, long width, double eps) {
        return new LayerNorm(weights.parameter(name + ".weight", width), weights.parameter(name + ".bias", width), eps);
    }

    /** {@code [T, width]} to {@code [T, width]}, owned by the caller's innermost scope. */
    public Tensor forward(Tensor x) {
        Tensor w = weight.value();
        try (TensorOptional scale = new TensorOptional(w);
                TensorOptional shift = new TensorOptional(bias.value())) {
            return torch.layer_norm(x, new long[] {w.size(0)}, scale, shift, eps, true);
        }
    }
}
