package io.lorica.train.analyze;

import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * The gradients of a head as they are, in time that grows with {@code L^2} (about {@code 6 L^2 (d + d_v)} operations):
 *
 * <pre>
 * F = softmax_rows(beta Q K^T) ; O = F V ; E = dL/dO ; rho = rowsum(E * O)
 * dS = F * (E V^T) - diag(rho) F ; dQ = beta dS K ; dK = beta dS^T Q ; dV = F^T E
 * </pre>
 *
 * in blocks of queries, so that memory is linear in {@code L} here as well and only time tells the two ways apart. The
 * page's notation: {@code p = p1 - p2 = dS}, {@code q = E V^T}, {@code c = E}.
 *
 * @param chunk queries of a block, at least 1
 */
public record ExactGradient(int chunk) {
    private static final long[] ROWS = {1};

    /** @return tensors of the caller's innermost scope */
    public HeadGradients of(AttentionHead head, Upstream upstream) {
        return HeadGradients.inScope(() -> {
            try (Grad _ = Grad.disabled()) {
                return inBlocks(head, upstream);
            }
        });
    }

    private HeadGradients inBlocks(AttentionHead head, Upstream upstream) {
        Tensor dK = torch.zeros_like(head.k());
        Tensor dV = torch.zeros_like(head.v());
        List<Tensor> outputs = new ArrayList<>();
        List<Tensor> dQs = new ArrayList<>();
        for (long from = 0; from < head.length(); from += chunk) {
            try (Scope scope = Scope.open()) {
                Scalar beta = new Scalar(head.beta());
                Tensor q = head.q().narrow(0, from, Math.min(chunk, head.length() - from));
                Tensor f = torch.softmax(q.matmul(head.k().t()).mul(beta), -1);
                Tensor output = f.matmul(head.v());
                Tensor e = upstream.gradient(output, from);
                Tensor rho = rowSums(e.mul(output));
                Tensor dS = f.mul(e.matmul(head.v().t()).sub(rho)).mul(beta);
                dK.add_(dS.t().matmul(q));
                dV.add_(f.t().matmul(e));
                outputs.add(scope.keep(output));
                dQs.add(scope.keep(dS.matmul(head.k())));
            }
        }
        return new HeadGradients(HeadGradients.stacked(outputs), HeadGradients.stacked(dQs), dK, dV);
    }

    /** {@code [n, m]} to {@code [n, 1]}. */
    static Tensor rowSums(Tensor x) {
        return x.sum(ROWS, true, null);
    }
}
