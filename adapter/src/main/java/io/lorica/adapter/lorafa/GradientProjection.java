package io.lorica.adapter.lorafa;

import io.lorica.adapter.TrainingRule;
import io.lorica.adapter.lowrank.FrozenA;
import io.lorica.adapter.lowrank.LowRank;
import io.lorica.adapter.lowrank.Pair;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Replaces the gradient of each B by {@code (1 / s^2) gB (A A^T + 1e-8 I)^+}, {@code gB: [out, r]}, before the optimizer
 * sees it: of all updates {@code s dB A} of the weight, that one is nearest to its full gradient G, since
 * {@code gB = s G A^T}. What remains of G is orthogonal to the rows of A.
 *
 * <p>As PEFT 0.21, but in float32 where PEFT multiplies in bfloat16 on machines that have it. The global norm is clipped
 * after the projection, where a training loop around PEFT's optimizer clips before.
 */
final class GradientProjection implements TrainingRule {
    private static final double RIDGE = 1e-8;

    private final List<FrozenA> parts;

    GradientProjection(List<FrozenA> parts) {
        this.parts = parts;
    }

    @Override
    public void beforeUpdate(long step) {
        parts.forEach(part -> project(part.pair()));
    }

    private static void project(Pair pair) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor gradient = pair.b().grad();
            if (!gradient.defined()) {
                return;
            }
            Tensor a = pair.a();
            Tensor ridge = LowRank.times(torch.eye(a.size(0), Tensors.options(DType.F32)), RIDGE);
            Tensor inverse = torch.linalg_pinv(a.mm(a.t()).add(ridge));
            double scaling = pair.scaling();
            gradient.copy_(LowRank.times(gradient.mm(inverse), 1 / (scaling * scaling)));
        }
    }
}
