package io.lorica.tensor.fused;

import io.lorica.tensor.CustomGradient;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
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
     * @param x {@code [T, heads * d]}
     * @param cos {@code [T, 1, d / 2]}, in the dtype of {@code x}
     * @param sin likewise
     * @return like {@code x}, owned by the caller's innermost scope
     */
    public static Tensor apply(Tensor x, int heads, Tensor cos, Tensor sin) {
        if (!Kernels.fit(x, cos, sin) || !x.is_contiguous()) {
            return recorded(x, heads, cos, sin);
        }
        try (Scope scope = Scope.open()) {
            Tensor y;
            try (Grad _ = Grad.disabled()) {
                y = turn(x, heads, cos, sin, 1);
            }
            return scope.keep(CustomGradient.attach(
                    y,
                    List.of(x),
                    List.of(cos, sin),
                    (dy, saved, _) -> List.of(turn(dy.contiguous(), heads, saved.get(0), saved.get(1), -1))));
        }
    }

    private static Tensor turn(Tensor x, int heads, Tensor cos, Tensor sin, int direction) {
        Tensor result = torch.empty_like(x.detach());
        int width = (int) x.size(1);
        int half = width / heads / 2;
        float[] c = all(cos);
        float[] s = all(sin);
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

    private static float[] all(Tensor tensor) {
        int count = (int) tensor.numel();
        float[] values = Rows.scratch(count);
        new Rows(tensor.contiguous()).read(0, count, values);
        return values;
    }

    static Tensor recorded(Tensor x, int heads, Tensor cos, Tensor sin) {
        long d = x.size(1) / heads;
        Tensor split = x.view(-1, heads, d);
        Tensor a = split.narrow(2, 0, d / 2);
        Tensor b = split.narrow(2, d / 2, d / 2);
        Tensor first = a.mul(cos).sub(b.mul(sin));
        Tensor second = b.mul(cos).add(a.mul(sin));
        return torch.cat(new TensorVector(first, second), 2).view(-1, heads * d);
    }
}
