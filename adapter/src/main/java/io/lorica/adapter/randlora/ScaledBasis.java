package io.lorica.adapter.randlora;

import io.lorica.adapter.lowrank.LowRank;
import io.lorica.tensor.CustomGradient;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/**
 * The product {@code V U} of {@link RandloraLinear} at one site, block by block.
 *
 * <p>Neither U (as large as {@code d x d}) nor the change {@code V U} ever exists as a whole, and neither is kept for the backward
 * pass: rows of U are made from A, lambda and gamma when they are needed, some hundred at a time, in both passes. With
 * {@code G} the gradient of a block of U: {@code dlambda[k, b] = sum_j G[k, b, j] A[k, j] gamma[b, j]} and
 * {@code dgamma[b, j] = sum_k G[k, b, j] A[k, j] lambda[k, b]}, so a block's gradient is formed, summed and dropped as well.
 */
final class ScaledBasis {
    private static final long ROWS = 256;

    private final RandloraBases shared;
    private final long small;
    private final long large;
    private final long bases;
    private final boolean smallIn;

    ScaledBasis(RandloraBases shared, long in, long out, long bases) {
        this.shared = shared;
        this.bases = bases;
        small = Math.min(in, out);
        large = Math.max(in, out);
        smallIn = in <= out;
    }

    /** Rows {@code [from n, (from + count) n)} of U, and the columns of V that meet them. */
    private final class Block {
        final Tensor a;
        final Tensor lambda;
        final Tensor gamma;
        final Tensor u;
        final Tensor v;

        Block(long from, Tensor lambda, Tensor gamma, DType type) {
            long count = Math.min(step(), lambda.size(0) - from);
            a = shared.a(small).narrow(0, from, count).unsqueeze(1); // [k, 1, d]
            this.lambda = lambda.narrow(0, from, count).unsqueeze(2); // [k, n, 1]
            this.gamma = gamma.unsqueeze(0); // [1, n, d]
            u = Tensors.to(a.mul(this.gamma).mul_(this.lambda).view(count * bases, small), type);
            v = Tensors.to(shared.b(large, bases).narrow(1, from * bases, count * bases), type);
        }

        Tensor hidden(Tensor x) {
            return x.mm(smallIn ? u.t() : v);
        }

        Tensor up() {
            return smallIn ? v.t() : u;
        }

        void addTo(Tensor dLambda, Tensor dGamma, long from, Tensor gradient) {
            Tensor g = Tensors.to(gradient, DType.F32)
                    .view(a.size(0), bases, small)
                    .mul(a);
            dLambda.narrow(0, from, a.size(0)).copy_(g.mul(gamma).sum(-1));
            dGamma.add_(g.mul_(lambda).sum(0));
        }
    }

    private long step() {
        return Math.max(1, ROWS / bases);
    }

    /** {@code result + factor * x (V U)^T}, or its transpose's, in the dtype of {@code result}. */
    Tensor add(Tensor result, Tensor x, Tensor lambda, Tensor gamma, double factor) {
        DType type = DType.of(result);
        Tensor value;
        try (Scope scope = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor rows = LowRank.times(x.reshape(-1, x.size(-1)), factor);
            Tensor sum = result.reshape(-1, result.size(-1)).clone();
            for (long from = 0; from < lambda.size(0); from += step()) {
                try (Scope _ = Scope.open()) {
                    Block block = new Block(from, lambda, gamma, type);
                    sum.addmm_(block.hidden(rows), block.up());
                }
            }
            value = scope.keep(sum.view(Tensors.shape(result)));
        }
        return CustomGradient.attach(
                value,
                List.of(result, x, lambda, gamma),
                List.of(x, lambda, gamma),
                (dy, kept, needed) -> gradients(dy, kept, factor, needed.get(1)));
    }

    private List<Tensor> gradients(Tensor dy, List<Tensor> kept, double factor, boolean inputNeeded) {
        Tensor x = kept.get(0).reshape(-1, kept.get(0).size(-1));
        Tensor lambda = kept.get(1);
        Tensor gamma = kept.get(2);
        Tensor rows = LowRank.times(dy.reshape(-1, dy.size(-1)), factor);
        Tensor dx = inputNeeded ? x.sub(x) : x;
        Tensor dLambda = lambda.sub(lambda);
        Tensor dGamma = gamma.sub(gamma);
        for (long from = 0; from < lambda.size(0); from += step()) {
            try (Scope _ = Scope.open()) {
                Block block = new Block(from, lambda, gamma, DType.of(x));
                Tensor dHidden = smallIn || inputNeeded ? rows.mm(block.up().t()) : rows;
                Tensor dU = smallIn ? dHidden.t().mm(x) : block.hidden(x).t().mm(rows);
                block.addTo(dLambda, dGamma, from, dU);
                if (inputNeeded) {
                    dx.addmm_(dHidden, smallIn ? block.u : block.v.t());
                }
            }
        }
        return List.of(dy, dx.view(Tensors.shape(kept.get(0))), dLambda, dGamma);
    }

    /** {@code V U} as a change of weight, {@code [out, in]}. */
    Tensor product(Tensor lambda, Tensor gamma) {
        Tensor sum = Tensors.zeros(DType.F32, large, small);
        for (long from = 0; from < lambda.size(0); from += step()) {
            try (Scope _ = Scope.open()) {
                Block block = new Block(from, lambda, gamma, DType.F32);
                sum.addmm_(block.v, block.u);
            }
        }
        return smallIn ? sum : sum.t();
    }
}
