package io.lorica.adapter.allora;

import io.lorica.adapter.TrainingRule;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/** {@code apply_to "update"}: row i of B moves by {@code c_i} times what the optimizer makes of it. */
final class RowSteps implements TrainingRule {
    private final List<AlloraLinear> parts;
    private final List<Tensor> before = new ArrayList<>();

    RowSteps(List<AlloraLinear> parts) {
        this.parts = parts;
    }

    @Override
    public void beforeUpdate(long step) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            parts.forEach(part -> before.add(Scope.release(part.pair().b().clone())));
        }
    }

    @Override
    public void afterUpdate(long step) {
        for (int i = 0; i < parts.size(); i++) {
            try (Scope _ = Scope.open();
                    Grad _ = Grad.disabled();
                    Tensor old = before.get(i)) {
                Tensor b = parts.get(i).pair().b();
                Tensor moved = b.sub(old);
                b.copy_(old); // the factors are those of the weights that the gradient was taken at
                b.add_(moved.mul(parts.get(i).factors()));
            }
        }
        before.clear();
    }
}
