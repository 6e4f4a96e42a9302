package io.lorica.tensor.fused;

import static org.assertj.core.api.Assertions.assertThat;

import io.lorica.tensor.DType;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.List;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Kernels against libtorch's operators, forward and backward, at widths that fill no whole number of vectors. */
class FusedOpsTest {
    private Scope scope;

    @BeforeEach
    void open() {
        scope = Scope.open();
        torch.manual_seed(5);
    }

    @AfterEach
    void close() {
        scope.close();
    }

    @Test
    void kernels_inThisBuild_areUsed() {
        assertThat(Kernels.fit(torch.ones(1))).isTrue();
    }

    private static Tensor random(DType type, long... shape) {
        return Tensors.to(torch.randn(shape), type);
    }

    private static double tolerance(DType type) {
        return type == DType.F32 ? 1e-5 : 3e-2;
    }

    /** Largest difference of outputs and of input gradients, each relative to the largest expected value. */
    private static double difference(Tensor x, UnaryOperator<Tensor> one, UnaryOperator<Tensor> other) {
        Tensor[] left = run(x, one);
        Tensor[] right = run(x, other);
        double worst = 0;
        for (int i = 0; i < 2; i++) {
            worst = Math.max(
                    worst,
                    Tensors.maxDifference(left[i], right[i])
                            / right[i].abs().max().item_double());
        }
        return worst;
    }

    private static Tensor[] run(Tensor x, UnaryOperator<Tensor> function) {
        Tensor leaf = x.detach().clone().requires_grad_(true);
        Tensor y = function.apply(leaf);
        Tensor weights =
                torch.arange(new Scalar(y.numel())).view(Tensors.shape(y)).sin();
        Tensors.to(y, DType.F32).mul(weights).sum().backward();
        return new Tensor[] {y.detach(), leaf.grad()};
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "BF16"})
    void rmsNorm_oddWidth_equalsLibtorch(DType type) {
        Tensor weight = random(type, 37);

        assertThat(difference(
                        random(type, 11, 37),
                        x -> RmsNormOp.apply(x, weight, 1e-5),
                        x -> RmsNormOp.recorded(x, weight, 1e-5)))
                .isLessThan(tolerance(type));
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "BF16", "F64"})
    void finite_oneElementOfMany_isSeen(DType type) {
        for (double bad : new double[] {Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY}) {
            for (long at : new long[] {0, 1023, 2050}) {
                Tensor x = random(type, 3, 684);
                assertThat(Finite.all(x)).isTrue();
                x.view(2052).narrow(0, at, 1).fill_(new Scalar(bad));
                assertThat(Finite.all(x)).as("%s at %d", bad, at).isFalse();
            }
        }
        assertThat(Finite.all(random(type, 0, 5))).isTrue();
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "BF16"})
    void swiGlu_gateAndUp_equalLibtorch(DType type) {
        Tensor other = random(type, 5, 333);

        assertThat(difference(
                        random(type, 5, 333),
                        g -> SwiGluOp.apply(g, other),
                        g -> torch.silu(g).mul(other)))
                .isLessThan(tolerance(type));
        assertThat(difference(
                        random(type, 5, 333),
                        u -> SwiGluOp.apply(other, u),
                        u -> torch.silu(other).mul(u)))
                .isLessThan(tolerance(type));
    }

    @Test
    void swiGlu_bothFromOneInput_gradientsAdd() {
        assertThat(difference(
                        random(DType.F32, 40, 2000),
                        x -> SwiGluOp.apply(x.exp(), x.cos()),
                        x -> torch.silu(x.exp()).mul(x.cos())))
                .isLessThan(1e-5);
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "BF16"})
    void rotary_halvesOfFive_equalsLibtorch(DType type) {
        Tensor angle = torch.randn(7, 1, 5);
        Tensor cos = Tensors.to(angle.cos(), type);
        Tensor sin = Tensors.to(angle.sin(), type);

        assertThat(difference(
                        random(type, 7, 30),
                        x -> RotaryOp.apply(x, 3, RotaryOp.Angles.of(cos, sin)),
                        x -> RotaryOp.recorded(x, 3, RotaryOp.Angles.of(cos, sin))))
                .isLessThan(tolerance(type));
    }

    @ParameterizedTest
    @CsvSource({"7, 7, 0", "7, 29, 0", "7, 29, 4", "1, 20, 0", "40, 40, 6"})
    void causalSoftmax_windowAndHistory_equalsMaskedSoftmax(int n, int m, int window) {
        CausalSoftmaxOp softmax = new CausalSoftmaxOp(window, 0.3);
        Tensor scores = torch.randn(2, 3L * n, m);
        Tensor hidden = torch.zeros(n, m);
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < m; j++) {
                int place = m - n + i;
                if (j > place || (window > 0 && j <= place - window)) {
                    hidden.select(0, i).select(0, j).fill_(new Scalar(Double.NEGATIVE_INFINITY));
                }
            }
        }
        Tensor leaf = scores.clone().requires_grad_(true);
        Tensor expected = torch.softmax(
                        leaf.mul(new Scalar(0.3)).view(2, 3, n, m).add(hidden), -1)
                .view(2, 3L * n, m);
        Tensor gradient = torch.randn(2, 3L * n, m);
        expected.mul(gradient).sum().backward();

        var block = new CausalSoftmaxOp.Block(n, scores.clone());
        var other = new CausalSoftmaxOp.Block(2, torch.randn(1, 6, 5));
        List<Tensor> probabilities = softmax.forward(List.of(other, block));
        List<Tensor> gradients = softmax.backward(
                List.of(other, new CausalSoftmaxOp.Block(n, probabilities.get(1))),
                List.of(
                        new CausalSoftmaxOp.Block(2, torch.randn(1, 6, 5)),
                        new CausalSoftmaxOp.Block(n, gradient.clone())));

        assertThat(Tensors.maxDifference(probabilities.get(1), expected)).isLessThan(1e-6);
        assertThat(Tensors.maxDifference(gradients.get(1), leaf.grad())).isLessThan(1e-6);
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "BF16"})
    void crossEntropy_rowsOfLogits_lossAndGradientEqualLibtorchs(DType type) {
        Tensor logits = random(type, 9, 133).mul(new Scalar(4.0));
        long[] wanted = {3, 0, 132, 17, 5, 5, 99, 1, 64};
        Tensor leaf = Tensors.to(logits, DType.F32).clone().requires_grad_(true);
        Tensor loss = torch.log_softmax(leaf, -1)
                .gather(1, Tensors.of(wanted, 9, 1))
                .sum()
                .mul(new Scalar(-1.0));
        loss.mul(new Scalar(0.25)).backward();

        double sum = CrossEntropyOp.lossAndGradient(logits, wanted, 0.25);

        assertThat(sum).isCloseTo(loss.item_double(), org.assertj.core.data.Offset.offset(1e-3));
        assertThat(Tensors.maxDifference(logits, leaf.grad())).isLessThan(type == DType.F32 ? 1e-6 : 1e-3);
    }

    @Test
    void exp_wholeRange_isExactToTheLastBits() {
        float[] row = Rows.scratch(Rows.LANES);
        for (float x = -86.9f; x < 87; x += 0.377f) {
            java.util.Arrays.fill(row, x);
            Lanes.exp(jdk.incubator.vector.FloatVector.fromArray(Rows.FLOATS, row, 0))
                    .intoArray(row, 0);
            assertThat(row[0] / Math.exp(x)).isBetween(1 - 3e-7, 1 + 3e-7);
        }
    }
}
