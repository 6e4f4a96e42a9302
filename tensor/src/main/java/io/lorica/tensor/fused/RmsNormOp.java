package io.lorica.tensor.fused;

import io.lorica.tensor.CustomGradient;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.List;
import jdk.incubator.vector.FloatVector;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Root-mean-square normalisation over the last dimension, {@code y = w * x / sqrt(mean(x^2) + eps)} (Zhang and Sennrich,
 * 2019); statistics in float32, and the normalised value rounded to the input's type before the weight multiplies it, as
 * transformers does.
 *
 * <p>Gradient, with {@code s = 1 / sqrt(mean(x^2) + eps)} and {@code t = w dy}:
 * {@code dx = s t - x s^3 mean(t x)}.
 */
public final class RmsNormOp {
    private RmsNormOp() {}

    /**
     * @param x {@code [..., n]}
     * @param weight {@code [n]}; where it learns, libtorch records the operation
     * @return like {@code x}, owned by the caller's innermost scope
     */
    public static Tensor apply(Tensor x, Tensor weight, double eps) {
        if (!Kernels.fit(x, weight) || weight.requires_grad()) {
            return recorded(x, weight, eps);
        }
        float[] inverse = new float[(int) (x.numel() / weight.numel())];
        if (!CustomGradient.records(x)) {
            Tensor input = x.contiguous();
            Tensor y = torch.empty_like(input);
            forward(input, weight, y, (float) eps, inverse);
            return y;
        }
        try (Scope scope = Scope.open()) {
            Tensor input = x.contiguous();
            Tensor y;
            try (Grad _ = Grad.disabled()) {
                y = torch.empty_like(input.detach());
                forward(input, weight, y, (float) eps, inverse);
            }
            return scope.keep(CustomGradient.attach(
                    y,
                    List.of(input),
                    List.of(input, weight),
                    (dy, saved, _) -> List.of(backward(saved.get(0), saved.get(1), dy.contiguous(), inverse))));
        }
    }

    private static void forward(Tensor x, Tensor weight, Tensor y, float eps, float[] inverse) {
        int width = (int) weight.numel();
        float[] w = Rows.scratch(width);
        new Rows(weight).read(0, width, w);
        Rows out = new Rows(y);
        boolean rounds = out.rounds();
        Kernels.apply(x.numel(), width, List.of(new Rows(x)), List.of(out), (r, n, buffers) -> {
            float[] row = buffers[0];
            FloatVector sum = Lanes.broadcast(0);
            for (int i = 0; i < row.length; i += Rows.LANES) {
                FloatVector v = FloatVector.fromArray(Rows.FLOATS, row, i);
                sum = v.fma(v, sum);
            }
            float s = (float) (1 / Math.sqrt(Lanes.sum(sum) / n + eps));
            inverse[r] = s;
            for (int i = 0; i < row.length; i += Rows.LANES) {
                FloatVector v = FloatVector.fromArray(Rows.FLOATS, row, i).mul(s);
                FloatVector normal = rounds ? Lanes.rounded(v) : v;
                normal.mul(FloatVector.fromArray(Rows.FLOATS, w, i)).intoArray(row, i);
            }
        });
    }

    private static Tensor backward(Tensor input, Tensor weight, Tensor gradient, float[] inverse) {
        int width = (int) weight.numel();
        Tensor result = torch.empty_like(input);
        float[] w = Rows.scratch(width);
        new Rows(weight).read(0, width, w);
        List<Rows> inputs = List.of(new Rows(gradient), new Rows(input));
        Kernels.apply(input.numel(), width, inputs, List.of(new Rows(result)), (r, n, buffers) -> {
            float[] t = buffers[0];
            float[] x = buffers[1];
            FloatVector sum = Lanes.broadcast(0);
            for (int i = 0; i < x.length; i += Rows.LANES) {
                FloatVector wdy =
                        FloatVector.fromArray(Rows.FLOATS, t, i).mul(FloatVector.fromArray(Rows.FLOATS, w, i));
                wdy.intoArray(t, i);
                sum = wdy.fma(FloatVector.fromArray(Rows.FLOATS, x, i), sum);
            }
            float s = inverse[r];
            float c = Lanes.sum(sum) / n * s * s * s;
            for (int i = 0; i < x.length; i += Rows.LANES) {
                FloatVector.fromArray(Rows.FLOATS, t, i)
                        .mul(s)
                        .sub(FloatVector.fromArray(Rows.FLOATS, x, i).mul(c))
                        .intoArray(t, i);
            }
        });
        return result;
    }

    static Tensor recorded(Tensor x, Tensor weight, double eps) {
        try (Scope scope = Scope.open();
                Scalar epsilon = new Scalar(eps)) {
            Tensor wide = Tensors.to(x, DType.F32);
            Tensor inverse =
                    wide.square().mean(new long[] {-1}, true, null).add(epsilon).rsqrt();
            return scope.keep(Tensors.to(wide.mul(inverse), DType.of(x)).mul(weight));
        }
    }
}
