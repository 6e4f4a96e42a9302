package io.lorica.train;

import io.lorica.adapter.Trainable;
import io.lorica.model.Pass;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.train.data.Example;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ToDoubleFunction;
import org.bytedeco.pytorch.Tensor;

/**
 * Shows on the user's own data that how a step is split does not change what it learns: loss and gradient norm of one
 * optimizer step, computed as one packed batch, as micro-batches of half the size, a quarter, down to one example, and
 * as {@code sum_e targets_e loss_e / targets} over examples scored on their own, without gradients.
 *
 * <p>Nothing is dropped out and nothing moves; no gradient stays behind.
 *
 * @param targets of the step
 * @param ways to compute the step; the first, all examples packed into one pass, is what the others are compared with
 * @param tolerance largest relative difference that rounding explains: 1e-4 in float32, 2e-2 in 16-bit types
 */
public record TrainingCheck(long targets, List<Way> ways, double tolerance) {

    /**
     * One way to compute the step.
     *
     * @param norm global gradient norm, NaN where the way has no gradients
     */
    public record Way(String name, double loss, double norm) {}

    /**
     * Computes one step in every way.
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
        List<Way> ways = new ArrayList<>();
        for (int size = examples.size(); size > 0; size /= 2) {
            ways.add(step(trainee, examples, size, targets));
        }
        ways.add(alone(trainee, examples, targets));
        return new TrainingCheck(targets, ways, tolerance(trainee.model().dtype()));
    }

    /** Whether all ways agree within {@link #tolerance()}. */
    public boolean ok() {
        return lossDifference() <= tolerance && normDifference() <= tolerance;
    }

    /** Largest difference of the losses from the first, relative to it. */
    public double lossDifference() {
        return difference(ways, Way::loss);
    }

    /** Largest difference of the gradient norms from the first, relative to it. */
    public double normDifference() {
        return difference(ways.stream().filter(way -> !Double.isNaN(way.norm)).toList(), Way::norm);
    }

    private static Way step(Trainee trainee, List<Example> examples, int size, long targets) {
        GradientPass pass = new GradientPass(trainee.model(), false);
        try {
            double loss = 0;
            for (int from = 0; from < examples.size(); from += size) {
                List<Example> micro = examples.subList(from, Math.min(examples.size(), from + size));
                loss += pass.run(MicroBatch.of(micro), targets, Pass.inference());
            }
            int passes = Math.ceilDiv(examples.size(), size);
            return new Way("batch " + size + (passes == 1 ? ", packed" : " x " + passes), loss, norm(trainee));
        } finally {
            clear(trainee);
        }
    }

    private static Way alone(Trainee trainee, List<Example> examples, long targets) {
        Evaluation evaluation = new Evaluation(trainee.model(), 1);
        double sum = 0;
        for (Example example : examples) {
            sum += evaluation.loss(List.of(example)) * example.targets();
        }
        return new Way("mean over single examples", sum / targets, Double.NaN);
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

    /** Leaves every tensor without a gradient. */
    static void clear(Trainee trainee) {
        try (Scope _ = Scope.open()) {
            trainee.trainables()
                    .forEach(trainable -> trainable.tensor().mutable_grad().reset());
        }
    }

    /** 0 for equal numbers, all zero included; a NaN among the losses makes it NaN, which is within no tolerance. */
    private static double difference(List<Way> ways, ToDoubleFunction<Way> number) {
        double reference = ways.isEmpty() ? Double.NaN : number.applyAsDouble(ways.getFirst());
        return ways.stream()
                .mapToDouble(number)
                .map(value -> value == reference ? 0 : Math.abs(reference - value) / Math.abs(reference))
                .reduce(0, Math::max);
    }

    private static double tolerance(DType type) {
        return switch (type) {
            case F64, F32 -> 1e-4;
            default -> 2e-2;
        };
    }
}
