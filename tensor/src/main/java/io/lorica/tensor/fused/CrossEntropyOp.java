package io.lorica.tensor.fused;

import io.lorica.tensor.DType;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.Arrays;
import java.util.List;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** Cross-entropy of logits against one wanted class a row, with its gradient, in float32 whatever the logits' type. */
public final class CrossEntropyOp {
    /** Terms that are summed in float32 before they go into the row's sum in float64. */
    private static final int CHUNK = 4096;

    private CrossEntropyOp() {}

    /**
     * Sums {@code -log softmax(z)[t]} over the rows and puts {@code scale (softmax(z) - onehot(t))} in the place of the
     * logits.
     *
     * @param logits {@code [n, classes]} contiguous, without gradient; overwritten
     * @param wanted {@code [n]}, the class of each row
     * @return the sum of the losses, in nats
     */
    public static double lossAndGradient(Tensor logits, long[] wanted, double scale) {
        return Kernels.fit(logits) ? kernel(logits, wanted, (float) scale) : plain(logits, wanted, scale);
    }

    private static double kernel(Tensor logits, long[] wanted, float scale) {
        double[] losses = new double[wanted.length];
        List<Rows> rows = List.of(new Rows(logits));
        Kernels.apply(logits.numel(), (int) logits.size(1), rows, rows, (r, n, buffers) -> {
            float[] z = buffers[0];
            float target = z[(int) wanted[r]];
            Arrays.fill(z, n, z.length, Float.NEGATIVE_INFINITY); // e^-87 each: nothing in the sum
            FloatVector largest = Lanes.broadcast(Float.NEGATIVE_INFINITY);
            for (int i = 0; i < z.length; i += Rows.LANES) {
                largest = largest.max(FloatVector.fromArray(Rows.FLOATS, z, i));
            }
            float top = largest.reduceLanes(VectorOperators.MAX);
            double sum = 0;
            for (int from = 0; from < z.length; from += CHUNK) {
                FloatVector part = Lanes.broadcast(0);
                for (int i = from; i < Math.min(z.length, from + CHUNK); i += Rows.LANES) {
                    FloatVector e =
                            Lanes.exp(FloatVector.fromArray(Rows.FLOATS, z, i).sub(top));
                    e.intoArray(z, i);
                    part = part.add(e);
                }
                sum += Lanes.sum(part);
            }
            float share = (float) (scale / sum);
            for (int i = 0; i < z.length; i += Rows.LANES) {
                FloatVector.fromArray(Rows.FLOATS, z, i).mul(share).intoArray(z, i);
            }
            z[(int) wanted[r]] -= scale;
            losses[r] = Math.log(sum) + top - target;
        });
        return Arrays.stream(losses).sum();
    }

    private static double plain(Tensor logits, long[] wanted, double scale) {
        try (Scope _ = Scope.open()) {
            Tensor column = Tensors.of(wanted, wanted.length, 1);
            if (logits.is_cuda()) {
                column = column.to(logits.device(), torch.ScalarType.Long);
            }
            Tensor logProbabilities = torch.log_softmax(Tensors.to(logits, DType.F32), -1);
            double loss = -logProbabilities.gather(1, column).sum().item_double();
            Tensor difference = logProbabilities.exp_();
            difference.scatter_add_(
                    1, column, torch.ones_like(Tensors.to(column, DType.F32)).neg());
            logits.copy_(difference.mul_(new Scalar(scale)));
            return loss;
        }
    }
}
