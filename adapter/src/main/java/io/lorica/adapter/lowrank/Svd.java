package io.lorica.adapter.lowrank;

import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import org.bytedeco.pytorch.T_TensorTensorTensor_T;
import org.bytedeco.pytorch.T_TensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Leading singular triplets of a matrix: {@code W ~ U diag(s) V^T}, float32. The signs of a pair {@code u_i, v_i} are
 * arbitrary, so only products of the two may be compared.
 *
 * @param u {@code [out, k]}, orthonormal columns
 * @param s {@code [k]}, descending
 * @param vt {@code [k, in]}, orthonormal rows
 */
public record Svd(Tensor u, Tensor s, Tensor vt) {

    /** Below this size, and where a quarter of all triplets is wanted, the dense decomposition is as fast. */
    private static final int DENSE = 128;

    /**
     * The {@code k} largest triplets, exact to float32: by {@link Lanczos} where few of many are wanted.
     *
     * @param w {@code [out, in]} float32
     * @return in the caller's innermost scope
     */
    public static Svd exact(Tensor w, int k) {
        long smaller = Math.min(w.size(0), w.size(1));
        try (Scope scope = Scope.open();
                Grad _ = Grad.disabled()) {
            Svd svd;
            if (smaller <= DENSE || 4L * k > smaller) {
                T_TensorTensorTensor_T all = torch.linalg_svd(w, false, null);
                svd = new Svd(
                        all.get0().narrow(1, 0, k),
                        all.get1().narrow(0, 0, k),
                        all.get2().narrow(0, 0, k));
            } else {
                boolean wide = w.size(0) < w.size(1);
                Tensor tall = wide ? w.t() : w;
                Svd found = ofProjection(tall, new Lanczos(tall).leading(k));
                svd = wide ? found.transposed() : found;
            }
            return svd.keptBy(scope);
        }
    }

    /**
     * Randomized subspace iteration (Halko, Martinsson and Tropp, 2011) without oversampling, as PEFT's
     * {@code pissa_niter_N}: {@code Q = qr(W Omega)}, then {@code iterations} times {@code Q = qr(W qr(W^T Q))}, and the
     * triplets of {@code Q^T W}.
     *
     * @param w {@code [out, in]} float32
     * @return in the caller's innermost scope
     */
    public static Svd randomized(Tensor w, int k, int iterations, Seed seed) {
        try (Scope scope = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor q = basis(w.mm(LowRank.normal(seed, w.size(1), k)));
            for (int i = 0; i < iterations; i++) {
                q = basis(w.mm(basis(w.t().mm(q))));
            }
            return ofProjection(w.t(), q).transposed().keptBy(scope);
        }
    }

    /**
     * Subspace iteration from a guess of the right singular vectors: {@code iterations} times {@code V = qr(W^T W V)}, and
     * the triplets of {@code W V V^T}.
     *
     * @param w {@code [out, in]} float32
     * @param guess {@code [in, q]} with {@code q >= k}; the columns beyond k make up for what the guess misses
     * @return in the caller's innermost scope
     */
    public static Svd near(Tensor w, int k, Tensor guess, int iterations) {
        try (Scope scope = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor v = basis(guess);
            for (int i = 0; i < iterations; i++) {
                v = basis(w.t().mm(w.mm(v)));
            }
            Svd found = ofProjection(w, v);
            Svd first = new Svd(
                    found.u().narrow(1, 0, k),
                    found.s().narrow(0, 0, k),
                    found.vt().narrow(0, 0, k));
            return first.keptBy(scope);
        }
    }

    /** Triplets of {@code W V V^T} for orthonormal columns V. */
    private static Svd ofProjection(Tensor w, Tensor v) {
        T_TensorTensor_T qr = torch.linalg_qr(w.mm(v));
        T_TensorTensorTensor_T small = torch.linalg_svd(qr.get1(), false, null);
        return new Svd(qr.get0().mm(small.get0()), small.get1(), small.get2().mm(v.t()));
    }

    private Svd transposed() {
        return new Svd(vt.t(), s, u.t());
    }

    private Svd keptBy(Scope scope) {
        return new Svd(scope.keep(u), scope.keep(s), scope.keep(vt));
    }

    private static Tensor basis(Tensor columns) {
        return torch.linalg_qr(columns).get0();
    }
}
