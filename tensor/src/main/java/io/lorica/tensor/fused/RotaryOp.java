package io.lorica.tensor.fused;

import io.lorica.tensor.CustomGradient;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.Arrays;
import java.util.List;
import jdk.incubator.vector.FloatVector;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * Turns each head's halves {@code (a, b)} into {@code (a cos - b sin, b cos + a sin)} (Su et al., 2021, in the layout of
 * transformers). The gradient is the same with the angle reversed.
 */
public final class RotaryOp {
    private RotaryOp() {}

    /**
     * How far the tokens of a batch are turned.
     *
     * @param cos row-major {@code [T, d / 2]}, with the precision of what is turned; no shorter than whole vectors
     * @param sin likewise
     */
    public record Angles(int tokens, float[] cos, float[] sin) {

        /** @param cos {@code [T, ...]} with {@code d / 2} elements a token, like {@code sin} */
        public static Angles of(Tensor cos, Tensor sin) {
            return new Angles((int) cos.size(0), padded(cos), padded(sin));
        }

        private static float[] padded(Tensor tensor) {
            float[] values = Tensors.floats(tensor);
            return Arrays.copyOf(values, Rows.padded(values.length));
        }

        /** {@code [T, 1, half]} like {@code x}. */
        private static Tensor tensor(float[] values, int tokens, long half, Tensor x) {
            float[] elements = Arrays.copyOf(values, tokens * (int) half);
            return Tensors.of(elements, tokens, 1, half).to(x.device(), x.scalar_type());
        }
    }

    /**
     * @param x {@code [T, heads * d]}
     * @return like {@code x}, owned by the caller's innermost scope
     */
    public static Tensor apply(Tensor x, int heads, Angles angles) {
        if (!Kernels.fit(x) || !x.is_contiguous()) {
            return recorded(x, heads, angles);
        }
        if (!CustomGradient.records(x)) {
            return turn(x, heads, angles, 1);
        }
        try (Scope scope = Scope.open()) {
            Tensor y;
            try (Grad _ = Grad.disabled()) {
                y = turn(x.detach(), heads, angles, 1);
            }
            return scope.keep(CustomGradient.attach(
                    y, List.of(x), List.of(), (dy, _, _) -> List.of(turn(dy.contiguous(), heads, angles, -1))));
        }
    }

    private static Tensor turn(Tensor x, int heads, Angles angles, int direction) {
        Tensor result = torch.empty_like(x);
        int width = (int) x.size(1);
        int half = width / heads / 2;
        float[] c = angles.cos;
        float[] s = angles.sin;
        Kernels.apply(x.numel(), width, List.of(new Rows(x)), List.of(new Rows(result)), (r, _, buffers) -> {
            float[] row = buffers[0];
            for (int head = 0; head < heads; head++) {
                int at = 2 * half * head;
                int whole = Rows.FLOATS.loopBound(half);
                for (int i = 0; i < whole; i += Rows.LANES) {
                    FloatVector a = FloatVector.fromArray(Rows.FLOATS, row, at + i);
                    FloatVector b = FloatVector.fromArray(Rows.FLOATS, row, at + half + i);
                    FloatVector cosine = FloatVector.fromArray(Rows.FLOATS, c, r * half + i);
                    FloatVector sine =
                            FloatVector.fromArray(Rows.FLOATS, s, r * half + i).mul(direction);
                    a.mul(cosine).sub(b.mul(sine)).intoArray(row, at + i);
                    b.mul(cosine).add(a.mul(sine)).intoArray(row, at + half + i);
                }
                for (int i = whole; i < half; i++) {
                    float a = row[at + i];
                    float b = row[at + half + i];
                    float sine = direction * s[r * half + i];
                    row[at + i] = a * c[r * half + i] - b * sine;
                    row[at + half + i] = b * c[r * half + i] + a * sine;
                }
            }
        });
        return result;
    }

    static Tensor recorded(Tensor x, int heads, Angles angles) {
        long d = x.size(1) / heads;
        Tensor cos = Angles.tensor(angles.cos, angles.tokens, d / 2, x);
        Tensor sin = Angles.tensor(angles.sin, angles.tokens, d / 2, x);
        Tensor split = x.view(-1, heads, d);
        Tensor a = split.narrow(2, 0, d / 2);
        Tensor b = split.narrow(2, d / 2, d / 2);
        Tensor first = a.mul(cos).sub(b.mul(sin));
        Tensor second = b.mul(cos).add(a.mul(sin));
        return torch.cat(new TensorVector(first, second), 2).view(-1, heads * d);
    }
}
