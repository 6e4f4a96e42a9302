package io.lorica.train;

import io.lorica.model.Batch;
import io.lorica.model.Block;
import io.lorica.model.Pass;
import io.lorica.model.Transformer;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.train.data.Example;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/**
 * The backward pass of one batch, taken block by block from the last on, so that several batches can be led through a
 * block before any goes on to the next. Holds the input of each block that it has not reached, in the scope it began in.
 */
final class Descent {
    private final Batch batch;
    private final List<Tensor> inputs = new ArrayList<>();
    private Tensor gradient = new Tensor();

    private Descent(Batch batch) {
        this.batch = batch;
    }

    /** Forward, and backward from the batch's mean loss to the output of the last block. */
    static Descent begin(Transformer model, MicroBatch micro) {
        Descent descent = new Descent(micro.batch());
        Tensor hidden;
        try (Grad _ = Grad.disabled()) {
            hidden = model.embed(descent.batch, Pass.inference());
            for (Block block : model.blocks()) {
                descent.inputs.add(hidden);
                hidden = block.forward(hidden, descent.batch, Pass.inference());
            }
        }
        try (Scope scope = Scope.open()) {
            Tensor top = hidden.detach().requires_grad_(true);
            long targets = micro.examples().stream().mapToInt(Example::targets).sum();
            Objective.of(model).backward(model.finish(top), descent.batch, micro, targets, Pass.inference());
            descent.gradient = scope.keep(top.grad());
        }
        return descent;
    }

    /** Backward through one block. */
    void through(Block block, int index) {
        Tensor input = inputs.get(index);
        Tensor above = gradient;
        gradient = GradientPass.again(block, input, true, above, batch, Pass.inference());
        above.close();
        input.close();
    }
}
