package io.lorica.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Attention and its hand-written gradient against the definition, query by query, recorded by libtorch. */
class CausalAttentionTest {

    @ParameterizedTest
    @CsvSource({"4, 2, 0, 7, 3", "3, 3, 0, 1, 5", "6, 2, 5, 9, 12", "2, 1, 0, 200, 3", "2, 1, 30, 200, 390"})
    void forward_packedSequences_valueAndGradientsEqualDefinition(
            int heads, int keyHeads, int window, int first, int second) {
        try (Scope _ = Scope.open()) {
            torch.manual_seed(1);
            int d = 4;
            CausalAttention attention = new CausalAttention(heads, keyHeads, d, window);
            Batch batch = Batch.of(List.of(new long[first], new long[second]));
            Tensor q = torch.randn(first + second, (long) heads * d).requires_grad_(true);
            Tensor k = torch.randn(first + second, (long) keyHeads * d).requires_grad_(true);
            Tensor v = torch.randn(first + second, (long) keyHeads * d).requires_grad_(true);
            Tensor weights = torch.randn(first + second, (long) heads * d);
            Tensor expected = torch.cat(
                    new TensorVector(defined(attention, q, k, v, 0, first), defined(attention, q, k, v, first, second)),
                    0);
            expected.mul(weights).sum().backward();
            List<Tensor> gradients = new ArrayList<>();
            for (Tensor leaf : List.of(q, k, v)) {
                gradients.add(leaf.grad().clone());
                leaf.mutable_grad().reset();
            }

            Tensor output = attention.forward(q, k, v, batch, 0);
            output.mul(weights).sum().backward();

            assertThat(Tensors.maxDifference(output, expected)).isLessThan(1e-5);
            assertThat(Tensors.maxDifference(q.grad(), gradients.get(0))).isLessThan(1e-5);
            assertThat(Tensors.maxDifference(k.grad(), gradients.get(1))).isLessThan(1e-5);
            assertThat(Tensors.maxDifference(v.grad(), gradients.get(2))).isLessThan(1e-5);
        }
    }

    /** Each head for itself over a whole square of scores, in the order of the definition. */
    private static Tensor defined(CausalAttention attention, Tensor q, Tensor k, Tensor v, int at, int n) {
        int d = attention.headDim();
        int group = attention.heads() / attention.keyHeads();
        Tensor visible = torch.tril(torch.ones(n, n));
        if (attention.window() > 0) {
            visible = visible.sub(torch.tril(torch.ones(n, n), -attention.window()));
        }
        Tensor hidden = visible.eq(new Scalar(0.0));
        Tensor[] outputs = new Tensor[attention.heads()];
        for (int head = 0; head < outputs.length; head++) {
            Tensor queries = q.narrow(0, at, n).narrow(1, (long) head * d, d);
            Tensor keys = k.narrow(0, at, n).narrow(1, (long) (head / group) * d, d);
            Tensor values = v.narrow(0, at, n).narrow(1, (long) (head / group) * d, d);
            Tensor scores = queries.matmul(keys.t())
                    .div(new Scalar(Math.sqrt(d)))
                    .masked_fill(hidden, new Scalar(Double.NEGATIVE_INFINITY));
            outputs[head] = torch.softmax(scores, -1).matmul(values);
        }
        return torch.cat(new TensorVector(outputs), 1);
    }
}
