package io.lorica.train.analyze;

import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/**
 * The gradients of a head approximately, in time linear in {@code L} (about {@code 8 L k d d_v} operations): with
 * {@code p} in the place of exp and features such that {@code P R^T = p(beta Q K^T)},
 *
 * <pre>
 * P = phi(sqrt(beta) Q) ; R = psi(sqrt(beta) K) ; U = diag(1 / (P R^T 1)) P         F ~ U R^T, of rank k = C(d + g, g)
 * O = U (R^T V) ; E = dL/dO ; rho = rowsum(E * O)
 * M[a,c,m] = sum_j R[j,a] V[j,c] K[j,m] ; N[a,c,m] = sum_i U[i,a] E[i,c] Q[i,m]
 * dQ = beta ((U x E) M - rho * (U (R^T K)))          x: row-wise Kronecker product, [L, k d_v]
 * dK = beta ((R x V) N - R (U^T diag(rho) Q)) ; dV = R (U^T E)
 * </pre>
 *
 * in three passes over blocks of rows: keys, queries, keys. Memory is {@code k d d_v} numbers and one block's products.
 *
 * <p>This approximates the exact gradient; it is not the gradient of the approximate output (the two differ by as much
 * as the polynomial errs). Without a mask, as in the paper.
 *
 * <p>Source: Hu, Su, Kuo, Song, Liu, <i>Computational Limits of Low-Rank Adaptation (LoRA) for Transformer-Based
 * Models</i>, 2024 (arXiv 2406.03136), with the low-rank steps of Alman and Song (arXiv 2402.04497). The papers use
 * {@code beta = 1 / d} and give no code.
 *
 * @param polynomial in the place of exp; must be positive at every score
 * @param chunk rows of a block, at least 1; 256 is a good choice
 * @param maxRank largest {@code k}
 */
public record AlmostLinearGradient(Exponential polynomial, int chunk, long maxRank) {

    /** What all keys together give to each query: sums over keys. */
    private record KeySums(Tensor features, Tensor values, Tensor keys, Tensor products) {}

    /** What all queries together give to each key: sums over queries. */
    private record QuerySums(Tensor gradients, Tensor queries, Tensor products) {}

    /**
     * @return tensors of the caller's innermost scope
     * @throws LoricaException.Unsupported where the rank is above {@code maxRank}
     * @throws LoricaException.Diverged where a row's sum is not positive: scores lie outside the polynomial's bound
     */
    public HeadGradients of(AttentionHead head, Upstream upstream) {
        int d = Math.toIntExact(head.q().size(1));
        MonomialFeatures.requireAtMost(maxRank, d, polynomial);
        return HeadGradients.inScope(() -> {
            try (Grad _ = Grad.disabled()) {
                return new Passes(head, new MonomialFeatures(d, polynomial), chunk).run(upstream);
            }
        });
    }

    /** The three passes over one head. */
    private static final class Passes {
        private final AttentionHead head;
        private final MonomialFeatures features;
        private final int chunk;
        private final long k;
        private final Scalar beta;
        private final Scalar root;

        Passes(AttentionHead head, MonomialFeatures features, int chunk) {
            this.head = head;
            this.features = features;
            this.chunk = chunk;
            k = features.size();
            beta = new Scalar(head.beta());
            root = new Scalar(Math.sqrt(head.beta()));
        }

        HeadGradients run(Upstream upstream) {
            KeySums keys = overKeys();
            List<Tensor> outputs = new ArrayList<>();
            List<Tensor> dQs = new ArrayList<>();
            QuerySums queries = overQueries(upstream, keys, outputs, dQs);
            List<Tensor> dKs = new ArrayList<>();
            List<Tensor> dVs = new ArrayList<>();
            toKeys(queries, dKs, dVs);
            return new HeadGradients(
                    HeadGradients.stacked(outputs),
                    HeadGradients.stacked(dQs),
                    HeadGradients.stacked(dKs),
                    HeadGradients.stacked(dVs));
        }

        private KeySums overKeys() {
            long d = head.k().size(1);
            long wide = head.v().size(1);
            KeySums sums = new KeySums(zeros(k, 1), zeros(k, wide), zeros(k, d), zeros(k * wide, d));
            for (long from = 0; from < head.k().size(0); from += chunk) {
                try (Scope _ = Scope.open()) {
                    Tensor keys = rows(head.k(), from);
                    Tensor values = rows(head.v(), from);
                    Tensor r = features.psi(keys.mul(root));
                    sums.features.add_(ExactGradient.rowSums(r.t()));
                    sums.values.add_(r.t().matmul(values));
                    sums.keys.add_(r.t().matmul(keys));
                    sums.products.add_(kronecker(r, values).t().matmul(keys));
                }
            }
            return sums;
        }

        private QuerySums overQueries(Upstream upstream, KeySums keys, List<Tensor> outputs, List<Tensor> dQs) {
            long d = head.q().size(1);
            long wide = head.v().size(1);
            QuerySums sums = new QuerySums(zeros(k, wide), zeros(k, d), zeros(k * wide, d));
            for (long from = 0; from < head.length(); from += chunk) {
                try (Scope scope = Scope.open()) {
                    Tensor q = rows(head.q(), from);
                    Tensor p = features.phi(q.mul(root));
                    Tensor u = p.div(positive(p.matmul(keys.features)));
                    Tensor output = u.matmul(keys.values);
                    Tensor e = upstream.gradient(output, from);
                    Tensor rho = ExactGradient.rowSums(e.mul(output));
                    Tensor ue = kronecker(u, e);
                    Tensor dQ = ue.matmul(keys.products)
                            .sub(u.matmul(keys.keys).mul(rho))
                            .mul(beta);
                    sums.gradients.add_(u.t().matmul(e));
                    sums.queries.add_(u.t().matmul(q.mul(rho)));
                    sums.products.add_(ue.t().matmul(q));
                    outputs.add(scope.keep(output));
                    dQs.add(scope.keep(dQ));
                }
            }
            return sums;
        }

        private void toKeys(QuerySums queries, List<Tensor> dKs, List<Tensor> dVs) {
            for (long from = 0; from < head.k().size(0); from += chunk) {
                try (Scope scope = Scope.open()) {
                    Tensor r = features.psi(rows(head.k(), from).mul(root));
                    Tensor dK = kronecker(r, rows(head.v(), from))
                            .matmul(queries.products)
                            .sub(r.matmul(queries.queries))
                            .mul(beta);
                    dKs.add(scope.keep(dK));
                    dVs.add(scope.keep(r.matmul(queries.gradients)));
                }
            }
        }

        private static Tensor zeros(long... shape) {
            return Tensors.zeros(DType.F64, shape);
        }

        private Tensor rows(Tensor x, long from) {
            return x.narrow(0, from, Math.min(chunk, x.size(0) - from));
        }

        /** {@code [n, a], [n, b]} to {@code [n, a b]}. */
        private static Tensor kronecker(Tensor left, Tensor right) {
            return left.unsqueeze(2).mul(right.unsqueeze(1)).view(left.size(0), -1);
        }

        private Tensor positive(Tensor rowSums) {
            double least = rowSums.min().item_double();
            if (!(least > 0)) {
                throw new LoricaException.Diverged("a row of the approximate attention sums to " + least
                        + ": scores lie outside the polynomial's range; take a larger degree or an even one");
            }
            return rowSums;
        }
    }
}
