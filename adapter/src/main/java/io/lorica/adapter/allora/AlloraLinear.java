package io.lorica.adapter.allora;

import io.lorica.adapter.lowrank.LowRank;
import io.lorica.adapter.lowrank.PairAdapter;
import io.lorica.adapter.lowrank.Start;
import io.lorica.model.Linear;
import io.lorica.model.Pass;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import org.bytedeco.pytorch.GradMode;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/**
 * ALLoRA on a linear site. Forward {@code y = W x + b + B A x}, bit for bit LoRA of scale 1. Backward, with
 * {@code delta = dLoss/dy} and {@code c_i = 1 / sqrt(||(B A)_i|| + 1 / eta^2)} held constant:
 *
 * <pre>
 * dB = sum_t (c * delta_t) (A x_t)^T     dA = sum_t B^T (c * delta_t) x_t^T     dx = A^T B^T delta   (not scaled)
 * </pre>
 *
 * <p>Without a backward pass of its own: {@code B A x} is computed once with A held and B's gradient scaled by rows (its
 * rows see only their own delta), and once more with {@code A - A} and {@code c * B}, which is zero and carries the
 * gradient of A alone. That costs three thin products more than LoRA's six.
 */
final class AlloraLinear extends PairAdapter {
    private final AlloraConfig config;

    AlloraLinear(Linear site, AlloraConfig config, Seed seed) {
        super(site, config.lowRank(), Start.lora(site, config.lowRank().r(), seed));
        this.config = config;
    }

    @Override
    public Tensor apply(Tensor x, Tensor base, Tensor result, double weight, Pass pass) {
        Tensor a = pair().a();
        Tensor b = pair().b();
        if (!GradMode.is_enabled() || config.update()) {
            return LowRank.add(result, x, a, b, weight);
        }
        return switch (config.rule()) {
            case NONE -> LowRank.add(result, x, a, b, weight);
            case FACTOR_ROW -> LowRank.add(result, x, scaled(a, rows(norms(a))), scaled(b, rows(norms(b))), weight);
            case WEIGHT_ROW, CONSTANT -> {
                Tensor c = factors();
                Tensor y = LowRank.add(result, x, a.detach(), scaled(b, c), weight);
                yield LowRank.add(y, x.detach(), a.sub(a.detach()), b.detach().mul(c), weight);
            }
            case OUTPUT -> byOutput(x, result, a, b, weight);
        };
    }

    private Tensor byOutput(Tensor x, Tensor result, Tensor a, Tensor b, double weight) {
        Tensor y = LowRank.add(result, x, a.detach(), b.detach(), weight);
        DType type = DType.of(result);
        Tensor down = Tensors.to(x.detach(), type).matmul(Tensors.to(a, type).t());
        Tensor own = LowRank.times(down.matmul(Tensors.to(b, type).t()), weight);
        Tensor carried =
                own.mul(Tensors.to(factors(Tensors.to(own.detach(), DType.F32).abs()), type));
        return y.add(carried.sub(carried.detach()));
    }

    /** {@code c} for the rows of B, {@code [out, 1]} float32. */
    Tensor factors() {
        try (Grad _ = Grad.disabled()) {
            return switch (config.rule()) {
                case CONSTANT ->
                    LowRank.times(Tensors.ones(DType.F32, pair().b().size(0), 1), config.eta());
                case FACTOR_ROW -> rows(norms(pair().b()));
                case NONE, OUTPUT -> Tensors.ones(DType.F32, pair().b().size(0), 1);
                case WEIGHT_ROW -> rows(productNorms());
            };
        }
    }

    /** Norms of the rows of {@code B A} by {@code (B Q * B) 1} with {@code Q = A A^T}: no {@code [out, in]} is made. */
    private Tensor productNorms() {
        Tensor a = pair().a();
        Tensor b = pair().b();
        Tensor squares = b.mm(a.mm(a.t())).mul(b).sum(1);
        return squares.clamp_min_(new Scalar(0)).sqrt_();
    }

    private static Tensor norms(Tensor factor) {
        return factor.detach().square().sum(1).sqrt_();
    }

    private Tensor rows(Tensor norms) {
        return factors(norms).unsqueeze(1);
    }

    private Tensor factors(Tensor sizes) {
        return sizes.detach().add(new Scalar(1 / (config.eta() * config.eta()))).rsqrt();
    }

    /** {@code factor} with its gradient multiplied by {@code c}. */
    private static Tensor scaled(Tensor factor, Tensor c) {
        Tensor held = factor.detach();
        return held.add(factor.sub(held).mul(c));
    }
}
