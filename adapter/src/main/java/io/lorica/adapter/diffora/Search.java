package io.lorica.adapter.diffora;

import io.lorica.adapter.Calibration;
import io.lorica.adapter.TrainingRule;
import io.lorica.adapter.lowrank.LowRank;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The three stages. While it seeks: the loop trains the pairs on one part of the examples, and after the warm-up each of
 * its steps is preceded by a step of Adam on the logits, with the pairs held, on the examples that the loop left over (the
 * first-order alternation of DARTS). Without warm-up B is zero, and with it the gradient of every logit. Then it chooses,
 * and the loop goes on with all examples and the matrix fixed.
 */
final class Search implements TrainingRule {
    private static final double BETA1 = 0.5;
    private static final double BETA2 = 0.999;
    private static final double EPSILON = 1e-8;

    private final DifforaConfig config;
    private final Matrix matrix;
    private final List<DifforaLinear> parts;
    private final Supplier<List<Tensor>> learning;
    private @Nullable Calibration lent;

    /** @param learning what the loop moves now */
    Search(DifforaConfig config, Matrix matrix, List<DifforaLinear> parts, Supplier<List<Tensor>> learning) {
        this.config = config;
        this.matrix = matrix;
        this.parts = parts;
        this.learning = learning;
    }

    @Override
    public double lent(long step, long totalSteps) {
        return step < config.search(totalSteps) ? config.validation() : 0;
    }

    @Override
    public void borrow(Calibration examples) {
        lent = examples;
    }

    @Override
    public void beforeStep(long step, long totalSteps) {
        long search = config.search(totalSteps);
        if (search >= totalSteps) {
            throw new LoricaException.BadInput("search_steps is " + search + ", but the run has " + totalSteps
                    + " steps and some must follow the search; lower it, or train longer");
        }
        long first = config.moving(totalSteps);
        if (step >= first && step < search) {
            moveLogits(step, first, search);
        }
        if (step == search) {
            choose();
        }
    }

    private void moveLogits(long step, long first, long search) {
        Calibration examples = lent;
        if (examples == null) {
            throw new LoricaException.Internal("the search has no examples to learn from");
        }
        Tensor logits = matrix.part("logits");
        List<Tensor> held = learning.get();
        try (Scope _ = Scope.open()) {
            held.forEach(tensor -> tensor.set_requires_grad(false));
            logits.set_requires_grad(true);
            examples.backward((step - first) * config.archBatch(), config.archBatch());
            logits.set_requires_grad(false);
            held.forEach(tensor -> tensor.set_requires_grad(true));
            try (Grad _ = Grad.disabled()) {
                adam(logits, step - first + 1);
                long averaged = search - Math.max(1, (search - first) / 5);
                if (step >= averaged) {
                    double share = 1.0 / (step - averaged + 1);
                    matrix.part("average").lerp_(logits, new Scalar(share));
                }
            }
        }
    }

    private void adam(Tensor logits, long count) {
        Tensor g = logits.grad().clone();
        logits.mutable_grad().reset();
        Tensor m = matrix.part("m").lerp_(g, new Scalar(1 - BETA1));
        Tensor v = matrix.part("v").mul_(new Scalar(BETA2)).addcmul_(g, g, new Scalar(1 - BETA2));
        double correction1 = 1 - Math.pow(BETA1, (double) count);
        double correction2 = 1 - Math.pow(BETA2, (double) count);
        Tensor denominator = LowRank.times(v, 1 / correction2).sqrt().add_(new Scalar(EPSILON));
        logits.addcdiv_(m, denominator, new Scalar(-config.archRate() / correction1));
    }

    private void choose() {
        List<Tensor> before = new ArrayList<>(learning.get());
        try (Scope _ = Scope.open()) {
            before.forEach(tensor -> tensor.set_requires_grad(false));
        }
        matrix.discretize();
        parts.forEach(DifforaLinear::settle);
        try (Scope _ = Scope.open()) {
            learning.get().forEach(tensor -> tensor.set_requires_grad(true));
        }
    }

    /** A resumed run's choice is in its checkpoint: what learns follows from it. */
    @Override
    public void restored() {
        try (Scope _ = Scope.open()) {
            List<Tensor> now = learning.get();
            parts.forEach(part -> part.tensors().values().forEach(tensor -> tensor.set_requires_grad(false)));
            now.forEach(tensor -> tensor.set_requires_grad(true));
        }
    }
}
