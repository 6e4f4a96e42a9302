package io.lorica.train.analyze;

import io.lorica.tensor.Scope;
import java.util.List;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * A head's output and the loss gradients at its operands.
 *
 * @param output {@code O: [L, d_v]}
 * @param dQ {@code [L, d]}
 * @param dK {@code [L, d]}
 * @param dV {@code [L, d_v]}
 */
public record HeadGradients(Tensor output, Tensor dQ, Tensor dK, Tensor dV) {

    /** The result of {@code work}, with all else that it made freed. */
    static HeadGradients inScope(Supplier<HeadGradients> work) {
        try (Scope scope = Scope.open()) {
            HeadGradients made = work.get();
            return new HeadGradients(
                    scope.keep(made.output), scope.keep(made.dQ), scope.keep(made.dK), scope.keep(made.dV));
        }
    }

    static Tensor stacked(List<Tensor> blocks) {
        return torch.cat(new TensorVector(blocks.toArray(Tensor[]::new)), 0);
    }
}
