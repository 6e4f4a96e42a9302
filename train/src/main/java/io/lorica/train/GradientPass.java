package io.lorica.train;

import io.lorica.model.Batch;
import io.lorica.model.Block;
import io.lorica.model.Pass;
import io.lorica.model.Transformer;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/**
 * Forward and backward of one micro-batch. With gradient checkpointing each block keeps only its input and is computed
 * again in the backward pass: memory of one block instead of all, for about a third more time.
 */
final class GradientPass {
    private final Transformer model;
    private final Objective objective;
    private final boolean checkpointing;

    GradientPass(Transformer model, boolean checkpointing) {
        this.model = model;
        this.objective = Objective.of(model);
        this.checkpointing = checkpointing;
    }

    /**
     * Adds the micro-batch's gradients to the leaves.
     *
     * @param targetsInStep targets of the whole optimizer step
     * @return its part of the step's loss
     */
    double run(MicroBatch micro, long targetsInStep, Pass pass) {
        try (Scope _ = Scope.open()) {
            Batch batch = micro.batch();
            return run(batch, pass, hidden -> objective.backward(hidden, batch, micro, targetsInStep, pass));
        }
    }

    /** A loss on the last hidden states, which adds its gradients to the leaves behind them. */
    interface Loss {
        double backward(Tensor hidden);
    }

    /** Forward, {@code loss}, and backward of a batch. */
    double run(Batch batch, Pass pass, Loss loss) {
        return checkpointing ? checkpointed(batch, pass, loss) : loss.backward(model.hidden(batch, pass));
    }

    Objective objective() {
        return objective;
    }

    private double checkpointed(Batch batch, Pass pass, Loss loss) {
        Tensor embedded = model.embed(batch, pass);
        List<Tensor> inputs = new ArrayList<>();
        Pass inside = model.inBlocks(batch, pass);
        Tensor top = through(embedded.detach(), inputs, batch, inside).detach().requires_grad_(true);
        double value = loss.backward(model.finish(top));
        Tensor gradient = top.grad();
        for (int i = inputs.size() - 1; i >= 0 && gradient.defined(); i--) {
            boolean learnsBelow = i > 0 || embedded.requires_grad();
            gradient = again(model.blocks().get(i), inputs.get(i), learnsBelow, gradient, batch, inside);
        }
        if (embedded.requires_grad() && gradient.defined()) {
            Backward.run(embedded, gradient);
        }
        return value;
    }

    /** All blocks without a graph; each one's input goes to {@code inputs}. */
    private Tensor through(Tensor hidden, List<Tensor> inputs, Batch batch, Pass pass) {
        try (Grad _ = Grad.disabled()) {
            for (Block block : model.blocks()) {
                inputs.add(hidden);
                hidden = block.forward(hidden, batch, pass);
            }
            return hidden;
        }
    }

    /**
     * Bytes of one micro-batch.
     *
     * @param kept what the forward pass leaves for the backward pass
     * @param loss the most that logits and loss take beside it
     */
    record Footprint(long kept, long loss) {}

    /** Measures a forward pass and the loss above it; a head that learns is left with a gradient. */
    Footprint footprint(MicroBatch micro, Pass pass) {
        try (Scope _ = Scope.open()) {
            long before = NativeHeap.now().inUse();
            Batch batch = micro.batch();
            Tensor hidden = checkpointing
                    ? model.finish(through(
                            model.embed(batch, pass).detach(), new ArrayList<>(), batch, model.inBlocks(batch, pass)))
                    : model.hidden(batch, pass);
            long kept = NativeHeap.now().inUse() - before;
            Tensor top = hidden.detach();
            return new Footprint(kept, NativeHeap.peak(() -> objective.backward(top, batch, micro, 1, pass)));
        }
    }

    /** One block forward once more, now recorded, and backward; the gradient at its input, undefined where none is needed. */
    static Tensor again(Block block, Tensor input, boolean learnsBelow, Tensor gradient, Batch batch, Pass pass) {
        try (Scope scope = Scope.open()) {
            Tensor leaf = input.detach().requires_grad_(learnsBelow);
            Tensor output = block.forward(leaf, batch, pass);
            if (output.requires_grad()) {
                Backward.run(output, gradient);
            }
            return scope.keep(leaf.grad());
        }
    }
}
