package io.lorica.adapter.lowrank;

import io.lorica.adapter.Calibration;
import io.lorica.model.Linear;
import io.lorica.model.Site;
import io.lorica.tensor.CustomGradient;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;

/**
 * Gradients of frozen weights on calibration data, for methods that start from them.
 *
 * <p>Products are taken in the base's dtype, which rounds each batch's once as the official codes do, and summed in float32.
 *
 * <p>libtorch would hold the gradients of all weights at once. Here each site sums {@code dW = dy^T x} by itself in its
 * backward pass, and the model is gone through block by block, so that only one block's sums exist at a time.
 */
public final class WeightGradients {
    /** Takes the gradient of one site's weight, {@code [out, in]} float32; it is freed when the call returns. */
    @FunctionalInterface
    public interface Use {
        void of(Linear site, Tensor gradient);
    }

    private final Map<Linear, Tensor> sums = new LinkedHashMap<>();
    private final Tensor anchor = Tensors.zeros(DType.F32, 1).requires_grad_(true);

    private WeightGradients() {}

    /**
     * Gradients of the mean loss of {@code batches} batches of {@code count} examples: the mean over the batches of each
     * batch's mean over its targets. Batches with few targets therefore weigh as much as others. A site that the loss does
     * not depend on gets no call. The sites must have no overlay.
     */
    public static void each(List<Site> sites, Calibration calibration, int batches, int count, Use use) {
        List<Linear> linears = sites.stream().map(Linear.class::cast).toList();
        try (Scope _ = Scope.open()) {
            WeightGradients gradients = new WeightGradients();
            linears.forEach(site -> site.attach((linear, x, _) -> gradients.record(linear, x)));
            calibration.backwardByBlock(batches, count, () -> gradients.handOut(batches, use));
        } finally {
            linears.forEach(Linear::detachOverlay);
        }
    }

    private Tensor record(Linear site, Tensor x) {
        Tensor y;
        try (Grad _ = Grad.disabled()) {
            y = site.base(x);
        }
        // The anchor makes the operation known to the graph where the input needs no gradient, as in the first block.
        return CustomGradient.attach(y, List.of(x, anchor), List.of(x), (dy, saved, needed) -> {
            Tensor rows = dy.reshape(-1, dy.size(-1));
            Tensor input = saved.getFirst();
            add(site, rows, input.reshape(-1, input.size(-1)));
            return List.of(
                    needed.getFirst() ? site.transposed(rows).reshape(Tensors.shape(input)) : dy,
                    Tensors.zeros(DType.F32, 1));
        });
    }

    private void add(Linear site, Tensor dy, Tensor x) {
        Tensor sum = sums.computeIfAbsent(site, _ -> Scope.release(Tensors.zeros(DType.F32, site.out(), site.in())));
        sum.add_(dy.t().mm(x));
    }

    private void handOut(int batches, Use use) {
        SequencedMap<Linear, Tensor> complete = new LinkedHashMap<>(sums);
        sums.clear();
        complete.forEach((site, sum) -> {
            try (sum;
                    Scope _ = Scope.open();
                    Grad _ = Grad.disabled()) {
                use.of(site, LowRank.times(sum, 1.0 / batches));
            }
        });
    }
}
