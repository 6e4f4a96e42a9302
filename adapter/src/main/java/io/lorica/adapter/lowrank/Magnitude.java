package io.lorica.adapter.lowrank;

import io.lorica.model.Linear;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/**
 * DoRA's magnitude (Liu et al., DoRA: Weight-Decomposed Low-Rank Adaptation, 2024).
 *
 * <p>{@code W' = diag(m / n) (W + s B A)} with {@code n} the norms of the rows of {@code W + s B A} ({@code [out, in]};
 * the paper calls them columns). As in section 4.3 and in PEFT, {@code n} is computed anew on each call and held
 * constant in the backward pass. With {@code g = m / n}: {@code y = base + (g - 1)(base - b) + g s B A x}.
 *
 * <p>The norms are taken without forming {@code W + s B A}: {@code |W_i|^2 + 2 s (W A^T)_i . B_i + s^2 B_i (A A^T) B_i}
 * costs {@code r} columns where the product costs {@code in}.
 */
public final class Magnitude {
    public static final String KEY = "lora_magnitude_vector";

    private final Linear site;
    private final Pair pair;
    private final Tensor vector;

    private Magnitude(Linear site, Pair pair, Tensor vector) {
        this.site = site;
        this.pair = pair;
        this.vector = vector;
    }

    /** Starts at the row norms of the adapted weight, so that {@code g = 1}. */
    public static Magnitude of(Linear site, Pair pair) {
        return new Magnitude(site, pair, Scope.release(norms(frozen(site), pair)));
    }

    public Tensor vector() {
        return vector;
    }

    private static Tensor frozen(Linear site) {
        return site.fanInFanOut() ? site.weight().frozen().t() : site.weight().frozen();
    }

    /** Row norms of {@code matrix + s B A}, float32 {@code [out]}. */
    private static Tensor norms(Tensor matrix, Pair pair) {
        try (Scope scope = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor a = pair.wideA();
            Tensor b = LowRank.times(pair.wideB(), pair.scaling());
            Tensor wide = Tensors.to(matrix, DType.F32);
            Tensor own = wide.mul(wide).sum(1);
            Tensor cross = wide.mm(a.t()).mul(b).sum(1);
            Tensor square = b.mm(a.mm(a.t())).mul(b).sum(1);
            try (Scalar two = new Scalar(2.0);
                    Scalar zero = new Scalar(0.0)) {
                return scope.keep(
                        own.add(cross.mul(two)).add(square).clamp_min(zero).sqrt());
            }
        }
    }

    /**
     * @param x the input after dropout
     * @param dropped whether that is another input than the one {@code base} was computed from
     */
    public Tensor apply(Tensor x, Tensor base, Tensor result, double weight, boolean dropped) {
        DType type = DType.of(base);
        Tensor gain = vector.div(norms(frozen(site), pair));
        Tensor less;
        try (Scalar one = new Scalar(1.0)) {
            less = Tensors.to(LowRank.times(gain.sub(one), weight), type);
        }
        Tensor plain = dropped || site.bias() != null ? site.baseWithoutBias(x) : base;
        Tensor up = LowRank.times(pair.wideB(), pair.scaling() * weight);
        Tensor low = Tensors.to(x, type)
                .matmul(Tensors.to(pair.wideA(), type).t())
                .matmul(Tensors.to(up, type).t());
        return result.add(plain.mul(less)).add(low.mul(Tensors.to(gain, type)));
    }

    public Tensor change(Tensor matrix) {
        Tensor gain = vector.div(norms(matrix, pair)).unsqueeze(1);
        return matrix.add(pair.product()).mul(gain).sub(matrix);
    }
}
