package io.lorica.train;

import io.lorica.adapter.Trainable;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.ToDoubleFunction;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Adam with decoupled weight decay, in float32, as {@code torch.optim.AdamW} computes it (Loshchilov and Hutter, 2019,
 * algorithm 2):
 *
 * <pre>
 * p -= lr * decay * p
 * m  = b1 m + (1 - b1) g          v = b2 v + (1 - b2) g^2
 * p -= lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps)
 * </pre>
 */
public final class AdamW implements AutoCloseable {

    /** One tensor with its moments, the steps that moved it, and its own factor on the learning rate. */
    static final class Slot {
        private final Trainable trainable;
        private final Tensor m;
        private final Tensor v;
        private final double rateFactor;
        private final double weightDecay;
        private long steps;

        private Slot(Trainable trainable, Tensor m, Tensor v, double rateFactor, double weightDecay) {
            this.trainable = trainable;
            this.m = m;
            this.v = v;
            this.rateFactor = rateFactor;
            this.weightDecay = weightDecay;
        }

        Trainable trainable() {
            return trainable;
        }

        Tensor m() {
            return m;
        }

        Tensor v() {
            return v;
        }

        /** {@code t} of the bias correction. */
        long steps() {
            return steps;
        }

        /** For a checkpoint that is read back; the moments are copied in by the caller. */
        void resumeAt(long step) {
            steps = step;
        }

        private void close() {
            m.close();
            v.close();
        }
    }

    private final List<Slot> slots = new ArrayList<>();
    private final double beta1;
    private final double beta2;
    private final double epsilon;

    public AdamW(double beta1, double beta2, double epsilon) {
        this.beta1 = beta1;
        this.beta2 = beta2;
        this.epsilon = epsilon;
    }

    public void add(Trainable trainable, double rateFactor, double weightDecay) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor p = trainable.tensor().detach();
            slots.add(new Slot(
                    trainable,
                    Scope.release(torch.zeros_like(p)),
                    Scope.release(torch.zeros_like(p)),
                    rateFactor,
                    weightDecay));
        }
    }

    List<Slot> slots() {
        return slots;
    }

    /**
     * Goes over to these tensors: whichever is new comes in by {@code add}, with fresh moments; those that are missing lose
     * theirs.
     */
    void follow(List<Trainable> learning, Consumer<Trainable> add) {
        Map<String, Trainable> wanted = new LinkedHashMap<>();
        learning.forEach(trainable -> wanted.put(trainable.name(), trainable));
        for (Slot slot : List.copyOf(slots)) {
            Trainable same = wanted.get(slot.trainable().name());
            if (same != null && same.tensor().equals(slot.trainable().tensor())) {
                wanted.remove(same.name());
            } else {
                slot.close();
                slots.remove(slot);
            }
        }
        wanted.values().forEach(add);
    }

    /** Global L2 norm of all gradients. */
    double gradientNorm() {
        double sum = 0;
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            for (Slot slot : slots) {
                Tensor g = slot.trainable().tensor().grad();
                if (g.defined()) {
                    sum += Math.pow(g.norm().item_double(), 2);
                }
            }
        }
        return Math.sqrt(sum);
    }

    void scaleGradients(double factor) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Scalar scalar = new Scalar(factor);
            for (Slot slot : slots) {
                Tensor g = slot.trainable().tensor().grad();
                if (g.defined()) {
                    g.mul_(scalar);
                }
            }
        }
    }

    /** Leaves every tensor without a gradient, so that one that takes no part in the next step is not moved by it. */
    public void clearGradients() {
        try (Scope _ = Scope.open()) {
            slots.forEach(slot -> slot.trainable().tensor().mutable_grad().reset());
        }
    }

    /**
     * Moves every tensor that has a gradient.
     *
     * @param learningRate of this step
     * @param factor what the method makes of it for one tensor
     */
    public void step(double learningRate, ToDoubleFunction<Trainable> factor) {
        for (Slot slot : slots) {
            update(slot, learningRate * slot.rateFactor * factor.applyAsDouble(slot.trainable()));
        }
    }

    private void update(Slot slot, double rate) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor p = slot.trainable().tensor();
            Tensor g = p.grad();
            if (!g.defined()) {
                return;
            }
            slot.steps++;
            double correction1 = 1 - Math.pow(beta1, (double) slot.steps);
            double correction2 = Math.sqrt(1 - Math.pow(beta2, (double) slot.steps));
            if (slot.weightDecay != 0) {
                p.mul_(new Scalar(1 - rate * slot.weightDecay));
            }
            slot.m().lerp_(g, new Scalar(1 - beta1));
            slot.v().mul_(new Scalar(beta2)).addcmul_(g, g, new Scalar(1 - beta2));
            Tensor denominator = slot.v().sqrt().div_(new Scalar(correction2)).add_(new Scalar(epsilon));
            p.addcdiv_(slot.m(), denominator, new Scalar(-rate / correction1));
        }
    }

    @Override
    public void close() {
        slots.forEach(Slot::close);
        slots.clear();
    }

    static void requireFinite(double value, long step, String what) {
        if (!Double.isFinite(value)) {
            throw new LoricaException.Diverged("the " + what + " of step " + step + " is " + value
                    + "; lower learning_rate, or set max_grad_norm");
        }
    }
}
