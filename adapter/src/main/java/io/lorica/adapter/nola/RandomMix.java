package io.lorica.adapter.nola;

import io.lorica.adapter.lowrank.LowRank;
import io.lorica.tensor.CustomGradient;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.SeededBasis;
import io.lorica.tensor.Tensors;
import java.util.List;
import java.util.function.BiConsumer;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A factor {@code F = F0 + g sum_i c_i R_i} of k random matrices {@code R_i: [rows, columns]}, uniform within a bound.
 *
 * <p>The k matrices are drawn in blocks, contracted and dropped; k times the factor's size never exists. The backward pass draws
 * the same blocks again: with {@code G} the gradient of F, {@code dc_i = g <G, R_i>}. The factor itself, as small as LoRA's, is
 * kept until the coefficients change, so that further micro-batches, recomputed blocks and generated tokens draw nothing.
 */
final class RandomMix implements AutoCloseable {
    private static final long BLOCK = 1 << 18;

    private final long seed;
    private final long rows;
    private final long columns;
    private final double bound;
    private final double gain;
    private final @Nullable Tensor start;
    private final long perBlock;
    private @Nullable Tensor cached;
    private long cachedVersion;

    /**
     * @param bound of the matrices' elements
     * @param gain g above
     * @param start F0, owned by this object; null for zero
     */
    RandomMix(long seed, long rows, long columns, double bound, double gain, @Nullable Tensor start) {
        this(seed, rows, columns, bound, gain, start, Math.max(1, BLOCK / (rows * columns)));
    }

    RandomMix(long seed, long rows, long columns, double bound, double gain, @Nullable Tensor start, long perBlock) {
        this.seed = seed;
        this.rows = rows;
        this.columns = columns;
        this.bound = bound;
        this.gain = gain;
        this.start = start;
        this.perBlock = perBlock;
    }

    /**
     * The factor for these coefficients; gradients flow into them.
     *
     * @param coefficients {@code [k]} float32
     * @return {@code [rows, columns]} float32, owned by the caller's innermost scope
     */
    Tensor of(Tensor coefficients) {
        if (cached == null || cachedVersion != coefficients._version()) {
            close();
            cached = draw(coefficients);
            cachedVersion = coefficients._version();
        }
        long k = coefficients.size(0);
        return CustomGradient.attach(
                cached.detach().clone(),
                List.of(coefficients),
                List.of(),
                (gradient, _, _) -> List.of(products(gradient, k)));
    }

    private Tensor draw(Tensor coefficients) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor scaled = LowRank.times(coefficients.detach(), gain);
            Tensor sum = start == null
                    ? Tensors.zeros(DType.F32, rows * columns)
                    : start.clone().view(-1);
            blocks(coefficients.size(0), (from, block) -> sum.addmv_(block.t(), scaled.narrow(0, from, block.size(0))));
            return Scope.release(sum.view(rows, columns));
        }
    }

    private Tensor products(Tensor gradient, long k) {
        Tensor flat = LowRank.times(gradient, gain).reshape(-1);
        Tensor products = Tensors.zeros(DType.F32, k);
        blocks(k, (from, block) -> products.narrow(0, from, block.size(0)).copy_(block.mv(flat)));
        return products;
    }

    /** Draws k matrices in their order, flat in the rows of a block. */
    private void blocks(long k, BiConsumer<Long, Tensor> use) {
        try (SeededBasis basis = new SeededBasis(seed)) {
            for (long from = 0; from < k; from += perBlock) {
                try (Scope _ = Scope.open()) {
                    long count = Math.min(perBlock, k - from);
                    use.accept(from, basis.uniform(DType.F32, bound, count, rows * columns));
                }
            }
        }
    }

    @Override
    public void close() {
        if (cached != null) {
            cached.close();
            cached = null;
        }
    }
}
