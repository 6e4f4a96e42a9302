package io.lorica.adapter.lowrank;

import io.lorica.tensor.DType;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import org.bytedeco.pytorch.T_TensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * The leading right singular vectors of a matrix by block Lanczos on {@code W^T W} with full reorthogonalization (Golub and
 * Underwood, The block Lanczos method for computing eigenvalues, 1977).
 *
 * <p>A dense decomposition finds all triplets, of which a low rank needs few. Here the Krylov space grows by a few columns
 * at a time until the residuals {@code |W^T W v - s^2 v|} of the wanted vectors are near rounding; in the worst case it has
 * grown to everything and the answer is the dense one.
 */
final class Lanczos {
    /** Columns of a block: the fewest that keep the products from waiting for memory. */
    private static final long BLOCK = 8;

    /** Residual at which a vector counts as found, against the largest eigenvalue: some roundings of float32. */
    private static final double TOLERANCE = 4e-6;

    private final Tensor w;
    private final @Nullable Tensor gram;

    /** @param w {@code [n, width]} float32, at least as tall as wide */
    Lanczos(Tensor w) {
        this.w = w;
        // Where the matrix is tall, one product with itself costs less than going through it for each block.
        gram = w.size(0) >= 2 * w.size(1) ? gram(w) : null;
    }

    /** {@code W^T W} in strips, each from its diagonal on: the rest is symmetric. */
    private static Tensor gram(Tensor w) {
        long width = w.size(1);
        long strip = (width + 3) / 4;
        Tensor gram = Tensors.empty(DType.F32, width, width);
        for (long from = 0; from < width; from += strip) {
            long columns = Math.min(strip, width - from);
            long rest = width - from;
            Tensor part = w.narrow(1, from, columns).t().mm(w.narrow(1, from, rest));
            gram.narrow(0, from, columns).narrow(1, from, rest).copy_(part);
            gram.narrow(0, from, rest).narrow(1, from, columns).copy_(part.t());
        }
        return gram;
    }

    private Tensor apply(Tensor columns) {
        return gram != null ? gram.mm(columns) : w.t().mm(w.mm(columns));
    }

    /** Orthonormal, {@code [width, k]}, those of the largest singular values. */
    Tensor leading(int k) {
        long width = w.size(1);
        // Rows, so that a part of the space is one piece of memory.
        Tensor basis = Tensors.empty(DType.F32, width, width);
        Tensor image = Tensors.empty(DType.F32, width, width);
        Tensor next = basis(LowRank.normal(new Seed(0), width, Math.min(BLOCK, width)));
        long check = Math.min(width, 10L * k);
        for (long size = 0; ; ) {
            try (Scope scope = Scope.open()) {
                long more = next.size(1);
                basis.narrow(0, size, more).copy_(next.t());
                image.narrow(0, size, more).copy_(apply(next).t());
                size += more;
                Tensor space = basis.narrow(0, 0, size).t();
                if (size >= check) {
                    Tensor found = ritz(space, image.narrow(0, 0, size).t(), k);
                    if (found.defined()) {
                        return scope.keep(found);
                    }
                    check = Math.min(width, size * 8 / 7);
                }
                more = Math.min(more, width - size);
                next = image.narrow(0, size - more, more).t();
                for (int twice = 0; twice < 2; twice++) {
                    next = basis(next.sub(space.mm(space.t().mm(next))));
                }
                next = scope.keep(next);
            }
        }
    }

    /** The best vectors within the space, or an undefined tensor where they are not good enough yet. */
    private static Tensor ritz(Tensor basis, Tensor image, int k) {
        long size = basis.size(1);
        T_TensorTensor_T eigen = torch.linalg_eigh(basis.t().mm(image));
        Tensor values = eigen.get0().narrow(0, size - k, k);
        Tensor y = eigen.get1().narrow(1, size - k, k);
        Tensor vectors = basis.mm(y);
        Tensor residual = image.mm(y).sub(vectors.mul(values));
        double worst = Math.sqrt(residual.mul(residual).sum(0).max().item_double());
        boolean good = worst <= TOLERANCE * values.max().item_double() || size == basis.size(0);
        return good ? basis(vectors) : new Tensor();
    }

    private static Tensor basis(Tensor columns) {
        return torch.linalg_qr(columns).get0();
    }
}
