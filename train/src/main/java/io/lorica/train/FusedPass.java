package io.lorica.train;

import io.lorica.adapter.RowRanges;
import io.lorica.adapter.RowsOverlay;
import io.lorica.model.Batch;
import io.lorica.model.Pass;
import io.lorica.model.Transformer;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.train.data.Example;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * Forward and backward of micro-batches of several jobs at once, each on its own adapter: the frozen products are computed
 * once for all rows. Every job's loss is its own, and since no row sees another job's, so are its gradients.
 */
final class FusedPass {

    /** One job's micro-batch, with what its adapter does. */
    record Rows(Trainer.Part part, RowsOverlay.Adapters adapters) {

        int count() {
            return part.micro().tokens();
        }

        private RowsOverlay.Owner owner() {
            return new RowsOverlay.Owner(adapters, part.pass());
        }
    }

    private final GradientPass gradients;

    FusedPass(Transformer model, boolean checkpointing) {
        gradients = new GradientPass(model, checkpointing);
    }

    /**
     * Adds each job's gradients to its leaves. A {@link RowsOverlay} must be attached.
     *
     * @return each one's part of its own step's loss
     */
    double[] run(List<Rows> rows) {
        List<Example> examples = new ArrayList<>();
        rows.forEach(each -> examples.addAll(each.part().micro().examples()));
        Pass pass = rows.getFirst()
                .part()
                .pass()
                .with(new RowsOverlay.Ranges(RowRanges.joining(
                        rows.stream().mapToInt(Rows::count).toArray(),
                        rows.stream().map(Rows::owner).toList())));
        double[] losses = new double[rows.size()];
        try (Scope _ = Scope.open()) {
            double _ = gradients.run(Example.batch(examples), pass, hidden -> backward(rows, hidden, losses));
        }
        return losses;
    }

    private double backward(List<Rows> rows, Tensor hidden, double[] losses) {
        List<Tensor> slopes = new ArrayList<>();
        long from = 0;
        for (int i = 0; i < losses.length; i++) {
            Rows own = rows.get(i);
            MicroBatch micro = own.part().micro();
            Tensor leaf = hidden.detach().narrow(0, from, own.count()).requires_grad_(hidden.requires_grad());
            Batch batch = micro.batch();
            Pass pass = own.part().pass().with(new RowsOverlay.Ranges(RowRanges.only(own.count(), own.owner())));
            losses[i] = gradients
                    .objective()
                    .backward(leaf, batch, micro, own.part().targetsInStep(), pass);
            slopes.add(leaf.grad().defined() ? leaf.grad() : torch.zeros_like(leaf.detach()));
            from += own.count();
        }
        if (hidden.requires_grad()) {
            try (Grad _ = Grad.disabled()) {
                Backward.run(hidden, torch.cat(new TensorVector(slopes.toArray(Tensor[]::new)), 0));
            }
        }
        return 0;
    }
}
