package io.lorica.train;

import io.lorica.model.Batch;
import io.lorica.model.CausalModel;
import io.lorica.model.Linear;
import io.lorica.model.Pass;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import io.lorica.tensor.fused.CrossEntropyOp;
import java.util.Arrays;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Cross-entropy of the next token, at supervised positions only, and its gradient.
 *
 * <p>{@code loss = sum_i -log softmax(h_i W^T)[t_i] / n} over the rows {@code i} that have a target, with {@code h: [rows,
 * hidden]}, {@code W: [vocab, hidden]} and {@code n} the targets of the whole optimizer step, so that any split into
 * micro-batches sums to the same loss. Rows go in chunks, each with its logits freed before the next: a 49k vocabulary
 * at 1,000 rows would hold 200 MB in float32, several times over.
 *
 * <p>For a frozen head the gradient is written down instead of recorded: {@code dL/dh_i = (softmax(h_i W^T) -
 * onehot(t_i)) W / n}, softmax in float32.
 */
final class TokenLoss implements Objective {
    /** Rows of one chunk: 256 rows of a 49k vocabulary are 50 MB in float32. */
    private static final int CHUNK = 256;

    private final CausalModel model;

    TokenLoss(CausalModel model) {
        this.model = model;
    }

    @Override
    public double backward(Tensor hidden, Batch batch, MicroBatch micro, long targetsInStep, Pass pass) {
        if (micro.rows().length == 0) {
            return 0;
        }
        try (Scope _ = Scope.open()) {
            Linear head = model.head();
            boolean headLearns = head.overlaid()
                    || (head.weight().overridden() && head.weight().value().requires_grad());
            Tensor leaf = hidden.detach().index_select(0, Tensors.of(micro.rows()));
            Tensor targets = Tensors.of(micro.targets());
            Tensor gradient = torch.empty_like(leaf);
            double loss = 0;
            for (long from = 0; from < micro.rows().length; from += CHUNK) {
                long rows = Math.min(CHUNK, micro.rows().length - from);
                Tensor part = leaf.narrow(0, from, rows);
                Tensor into = gradient.narrow(0, from, rows);
                loss += headLearns
                        ? recorded(part, targets.narrow(0, from, rows), into, targetsInStep, pass)
                        : written(
                                part,
                                Arrays.copyOfRange(micro.targets(), (int) from, (int) (from + rows)),
                                into,
                                targetsInStep);
            }
            if (hidden.requires_grad()) {
                try (Grad _ = Grad.disabled()) {
                    Tensor whole = torch.zeros_like(hidden.detach());
                    whole.index_copy_(0, Tensors.of(micro.rows()), gradient);
                    Backward.run(hidden, whole);
                }
            }
            return loss;
        }
    }

    @Override
    public double sum(Tensor hidden, Batch batch, MicroBatch micro, Pass pass) {
        double sum = 0;
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor wanted = Tensors.of(micro.targets());
            Tensor selected = hidden.index_select(0, Tensors.of(micro.rows()));
            for (long from = 0; from < micro.rows().length; from += CHUNK) {
                long rows = Math.min(CHUNK, micro.rows().length - from);
                try (Scope _ = Scope.open()) {
                    Tensor logits = Tensors.to(model.head().forward(selected.narrow(0, from, rows), pass), DType.F32);
                    sum += negativeLogLikelihood(torch.log_softmax(logits, -1), wanted.narrow(0, from, rows));
                }
            }
        }
        return sum;
    }

    private double written(Tensor part, long[] wanted, Tensor into, long targetsInStep) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Linear head = model.head();
            Tensor logits = head.base(part);
            double loss = CrossEntropyOp.lossAndGradient(logits, wanted, 1.0 / targetsInStep);
            into.copy_(head.transposed(logits));
            return loss / targetsInStep;
        }
    }

    private double recorded(Tensor part, Tensor wanted, Tensor into, long targetsInStep, Pass pass) {
        try (Scope _ = Scope.open()) {
            Tensor leaf = part.detach().requires_grad_(true);
            Tensor logits = Tensors.to(model.head().forward(leaf, pass), DType.F32);
            Tensor loss = torch.log_softmax(logits, -1)
                    .gather(1, wanted.unsqueeze(1))
                    .sum()
                    .mul(new Scalar(-1.0 / targetsInStep));
            loss.backward();
            try (Grad _ = Grad.disabled()) {
                into.copy_(leaf.grad());
            }
            return loss.item_double();
        }
    }

    private static double negativeLogLikelihood(Tensor logProbabilities, Tensor wanted) {
        return -logProbabilities.gather(1, wanted.unsqueeze(1)).sum().item_double();
    }
}
