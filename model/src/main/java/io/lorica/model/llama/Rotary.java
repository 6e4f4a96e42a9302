package io.lorica.model.llama;

import io.lorica.model.ModelConfig;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import io.lorica.tensor.fused.RotaryOp;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Rotary position embedding: coordinate {@code i} and {@code i + d/2} of a head turn by {@code position * frequency[i]}
 * (Su et al., RoFormer, 2021, section 3.2, in the half-split layout of the Hugging Face checkpoints).
 */
final class Rotary {
    private record Last(Tensor positions, DType type, RotaryOp.Angles angles) {}

    private final float[] frequencies;
    private final double attentionFactor;
    private volatile @Nullable Last last;

    /**
     * @param frequencies {@code theta^(-2i/d)} for {@code i} in {@code [0, d/2)}, after scaling
     * @param attentionFactor factor on sine and cosine (1 but for YaRN)
     */
    private Rotary(float[] frequencies, double attentionFactor) {
        this.frequencies = frequencies;
        this.attentionFactor = attentionFactor;
    }

    static Rotary from(ModelConfig config, int headDim, int maxPositions) {
        // transformers 5 writes rope_parameters; before, rope_theta and rope_scaling stood side by side.
        ModelConfig scaling = config.object("rope_parameters")
                .or(() -> config.object("rope_scaling"))
                .orElse(config);
        double theta = scaling.number("rope_theta", config.number("rope_theta", 10000));
        String type = scaling.equals(config) ? "default" : scaling.text("rope_type", scaling.text("type", "default"));
        double[] frequencies = new double[headDim / 2];
        for (int i = 0; i < frequencies.length; i++) {
            frequencies[i] = Math.pow(theta, -2.0 * i / headDim);
        }
        return switch (type) {
            case "default" -> new Rotary(toFloats(frequencies), 1);
            case "linear" -> new Rotary(toFloats(linear(frequencies, scaling)), 1);
            case "llama3" -> new Rotary(toFloats(llama3(frequencies, scaling)), 1);
            case "yarn" -> yarn(frequencies, theta, headDim, scaling, maxPositions);
            default ->
                throw new LoricaException.Unsupported(scaling.where() + ": rope_type '" + type
                        + "' is not supported (known: default, linear, llama3, yarn)");
        };
    }

    private static double[] linear(double[] frequencies, ModelConfig scaling) {
        double factor = scaling.number("factor", 1);
        double[] scaled = new double[frequencies.length];
        for (int i = 0; i < scaled.length; i++) {
            scaled[i] = frequencies[i] / factor;
        }
        return scaled;
    }

    /** Llama 3.1: long waves are slowed by {@code factor}, short ones kept, those between interpolated. */
    private static double[] llama3(double[] frequencies, ModelConfig scaling) {
        double factor = scaling.number("factor", 8);
        double low = scaling.number("low_freq_factor", 1);
        double high = scaling.number("high_freq_factor", 4);
        double original = scaling.number("original_max_position_embeddings", 8192);
        double[] scaled = new double[frequencies.length];
        for (int i = 0; i < scaled.length; i++) {
            double wave = 2 * Math.PI / frequencies[i];
            double smooth = Math.clamp((original / wave - low) / (high - low), 0.0, 1.0);
            scaled[i] = wave > original / low
                    ? frequencies[i] / factor
                    : (1 - smooth) * frequencies[i] / factor + smooth * frequencies[i];
        }
        return scaled;
    }

    /** YaRN (Peng et al. 2023, section 3): ramp between interpolated and original frequencies, and an attention factor. */
    private static Rotary yarn(double[] frequencies, double theta, int headDim, ModelConfig scaling, int maxPositions) {
        double factor = scaling.number("factor", 1);
        double original = scaling.number("original_max_position_embeddings", maxPositions);
        double low = Math.max(Math.floor(turns(scaling.number("beta_fast", 32), original, theta, headDim)), 0);
        double high = Math.min(Math.ceil(turns(scaling.number("beta_slow", 1), original, theta, headDim)), headDim - 1);
        double width = Math.max(high - low, 0.001);
        double[] scaled = new double[frequencies.length];
        for (int i = 0; i < scaled.length; i++) {
            double ramp = Math.clamp((i - low) / width, 0.0, 1.0);
            scaled[i] = frequencies[i] / factor * ramp + frequencies[i] * (1 - ramp);
        }
        double attention = scaling.has("mscale") && scaling.has("mscale_all_dim")
                ? magnitude(factor, scaling.number("mscale", 1))
                        / magnitude(factor, scaling.number("mscale_all_dim", 1))
                : magnitude(factor, 1);
        return new Rotary(toFloats(scaled), scaling.number("attention_factor", attention));
    }

    private static double magnitude(double factor, double scale) {
        return factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1;
    }

    private static double turns(double rotations, double original, double theta, int headDim) {
        return headDim * Math.log(original / (rotations * 2 * Math.PI)) / (2 * Math.log(theta));
    }

    private static float[] toFloats(double[] values) {
        float[] floats = new float[values.length];
        for (int i = 0; i < floats.length; i++) {
            floats[i] = (float) values[i];
        }
        return floats;
    }

    /**
     * @param positions {@code [T]} int64, not written to afterwards: all layers of a pass ask with the same tensor, and
     *     share the answer
     * @param type whose precision the angles get
     */
    @SuppressWarnings("ReferenceEquality") // the same tensor, not an equal one: comparing values would cost as much
    RotaryOp.Angles angles(Tensor positions, DType type) {
        Last before = last;
        if (before != null && before.positions == positions && before.type == type) {
            return before.angles;
        }
        RotaryOp.Angles angles = compute(positions, type);
        last = new Last(positions, type, angles);
        return angles;
    }

    private RotaryOp.Angles compute(Tensor positions, DType type) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor angle =
                    Tensors.to(positions, DType.F32).view(-1, 1, 1).mul(Tensors.of(frequencies, frequencies.length));
            Tensor cos = angle.cos();
            Tensor sin = angle.sin();
            if (attentionFactor != 1) {
                try (var factor = new org.bytedeco.pytorch.Scalar(attentionFactor)) {
                    cos = cos.mul(factor);
                    sin = sin.mul(factor);
                }
            }
            return RotaryOp.Angles.of(Tensors.to(cos, type), Tensors.to(sin, type));
        }
    }
}
