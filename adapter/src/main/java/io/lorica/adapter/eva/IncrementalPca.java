package io.lorica.adapter.eva;

import io.lorica.adapter.lowrank.LowRank;
import io.lorica.adapter.lowrank.Svd;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * Principal components of rows that arrive in batches (Ross, Lim, Lin and Yang, 2008): the rows {@code S C} of what was seen,
 * the centred batch and the shift of the mean are decomposed together.
 *
 * <p>PEFT decomposes each time with random projections of twice the components and four iterations, seed 42. Here narrow
 * inputs are decomposed exactly; wide ones by iterations that begin at the components found before, of which two are enough.
 * Sums for mean and variance are float64.
 */
final class IncrementalPca implements AutoCloseable {
    private static final long NARROW = 128;

    /** Random columns beside the components found before, by which new directions come in. */
    private static final long FRESH = 8;

    private final int components;
    private long seen;
    private @Nullable Tensor rows; // C: [components, in]
    private @Nullable Tensor singular; // S: [components]
    private @Nullable Tensor mean; // [in] float64
    private double variance; // sum over features of squared deviations from the mean

    IncrementalPca(int components) {
        this.components = components;
    }

    /**
     * Takes a batch in.
     *
     * @param x {@code [n, in]} with at least as many rows as components
     * @return the cosines of each component with what it was before; empty the first time
     */
    float[] add(Tensor x) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            long n = x.size(0);
            Tensor wide = Tensors.to(x, DType.F64);
            Tensor batchMean = wide.mean(0);
            Tensor centred = wide.sub(batchMean);
            variance += centred.mul(centred).sum().item_double();
            Tensor z = Tensors.to(centred, DType.F32);
            if (rows != null && singular != null && mean != null) {
                Tensor shift = mean.sub(batchMean);
                double weight = (double) seen * n / (seen + n);
                variance += weight * shift.mul(shift).sum().item_double();
                Tensor row = Tensors.to(LowRank.times(shift, Math.sqrt(weight)), DType.F32)
                        .unsqueeze(0);
                z = torch.cat(new TensorVector(singular.unsqueeze(1).mul(rows), z, row), 0);
                batchMean = LowRank.times(mean, (double) seen / (seen + n))
                        .add(LowRank.times(batchMean, (double) n / (seen + n)));
            }
            seen += n;
            Svd svd = decomposed(z);
            Tensor found = flipped(svd.vt());
            float[] cosines =
                    rows == null ? new float[0] : Tensors.floats(found.mul(rows).sum(1));
            replace(found, svd.s(), batchMean);
            return cosines;
        }
    }

    private Svd decomposed(Tensor z) {
        if (Math.min(z.size(0), z.size(1)) <= Math.max(NARROW, 2L * components)) {
            return Svd.exact(z, components);
        }
        return rows == null
                ? near(z, z.narrow(0, 0, components), components, 4)
                : near(z, rows, Math.min(components, FRESH), 2);
    }

    private Svd near(Tensor z, Tensor guess, long fresh, int iterations) {
        Tensor random = LowRank.normal(new Seed(seen), z.size(1), fresh);
        return Svd.near(z, components, torch.cat(new TensorVector(guess.t(), random), 1), iterations);
    }

    private void replace(Tensor newRows, Tensor newSingular, Tensor newMean) {
        close();
        rows = Scope.release(newRows);
        singular = Scope.release(newSingular.clone());
        mean = Scope.release(newMean);
    }

    /** The largest entry of each row made positive, so that components can be compared by their cosine. */
    private static Tensor flipped(Tensor vt) {
        Tensor largest = vt.abs().argmax(new org.bytedeco.pytorch.LongOptional(1), true);
        return vt.mul(vt.gather(1, largest).sign());
    }

    boolean started() {
        return rows != null;
    }

    /** {@code [components, in]}, orthonormal rows; owned by this object. */
    Tensor rows() {
        return java.util.Objects.requireNonNull(rows, "no batch was added");
    }

    /** {@code [components]}, descending; owned by this object. */
    Tensor singular() {
        return java.util.Objects.requireNonNull(singular, "no batch was added");
    }

    /** Share of all variance that each component explains, descending. */
    float[] explained() {
        float[] shares = Tensors.floats(singular());
        for (int i = 0; i < shares.length; i++) {
            shares[i] = variance == 0 ? 0 : (float) ((double) shares[i] * shares[i] / variance);
        }
        return shares;
    }

    @Override
    public void close() {
        if (rows != null && singular != null && mean != null) {
            rows.close();
            singular.close();
            mean.close();
        }
    }
}
