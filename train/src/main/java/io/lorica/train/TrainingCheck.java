package io.lorica.train;

import io.lorica.adapter.Trainable;
import io.lorica.model.Pass;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.train.data.Example;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/**
 * Shows on the user's own data that how a step is split does not change what it learns: loss and gradient norm of one
 * optimizer step, computed as one packed batch, as micro-batches of one example, and as a mean over examples that are
 * each normalised by their own targets.
 *
 * <p>Nothing is dropped out and nothing moves; no gradient stays behind.
 *
 * @param targets of the step
 * @param packedLoss all examples in one forward pass
 * @param splitLoss one example a forward pass, gradients added up
 * @param aloneLoss {@code sum_e targets_e loss_e / targets} over examples scored on their own, without gradients
 * @param packedNorm global gradient norm of the packed step
 * @param splitNorm global gradient norm of the split step
 * @param tolerance largest relative difference that rounding explains: 1e-4 in float32, 2e-2 in 16-bit types
 */
public record TrainingCheck(
        long targets,
        double packedLoss,
        double splitLoss,
        double aloneLoss,
        double packedNorm,
        double splitNorm,
        double tolerance) {

    /**
     * Computes one step three ways.
     *
     * @param examples of the step; those without targets count for nothing
     * @throws LoricaException.BadInput where no example has a target
     */
    public static TrainingCheck run(Trainee trainee, List<Example> examples) {
        long targets = examples.stream().mapToLong(Example::targets).sum();
        if (targets == 0) {
            throw new LoricaException.BadInput("none of the " + examples.size()
                    + " examples to verify has a target; check the completion column and max_length");
        }
        clear(trainee);
        Step packed = step(trainee, List.of(examples), targets);
        Step split = step(trainee, examples.stream().map(List::of).toList(), targets);
        Evaluation evaluation = new Evaluation(trainee.model(), 1);
        double sum = 0;
        for (Example example : examples) {
            sum += evaluation.loss(List.of(example)) * example.targets();
        }
        return new TrainingCheck(
                targets,
                packed.loss,
                split.loss,
                sum / targets,
                packed.norm,
                split.norm,
                tolerance(trainee.model().dtype()));
    }

    /** Whether all three agree within {@link #tolerance()}. */
    public boolean ok() {
        return lossDifference() <= tolerance && normDifference() <= tolerance;
    }

    /** Largest difference of the losses from the packed one, relative to it. */
    public double lossDifference() {
        return Math.max(relative(packedLoss, splitLoss), relative(packedLoss, aloneLoss));
    }

    /** Difference of the gradient norms, relative to the packed one. */
    public double normDifference() {
        return relative(packedNorm, splitNorm);
    }

    private record Step(double loss, double norm) {}

    private static Step step(Trainee trainee, List<List<Example>> microBatches, long targets) {
        GradientPass pass = new GradientPass(trainee.model(), trainee.headLearns(), false);
        try {
            double loss = 0;
            for (List<Example> examples : microBatches) {
                loss += pass.run(MicroBatch.of(examples), targets, Pass.inference());
            }
            return new Step(loss, norm(trainee));
        } finally {
            clear(trainee);
        }
    }

    private static double norm(Trainee trainee) {
        double sum = 0;
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            for (Trainable trainable : trainee.trainables()) {
                Tensor gradient = trainable.tensor().grad();
                if (gradient.defined()) {
                    sum += Math.pow(gradient.norm().item_double(), 2);
                }
            }
        }
        return Math.sqrt(sum);
    }

    private static void clear(Trainee trainee) {
        try (Scope _ = Scope.open()) {
            trainee.trainables()
                    .forEach(trainable -> trainable.tensor().mutable_grad().reset());
        }
    }

    /** 0 for equal numbers, both zero included; NaN is never within a tolerance. */
    private static double relative(double reference, double other) {
        return reference == other ? 0 : Math.abs(reference - other) / Math.abs(reference);
    }

    private static double tolerance(DType type) {
        return switch (type) {
            case F64, F32 -> 1e-4;
            default -> 2e-2;
        };
    }
}
