package io.lorica.tensor.fused;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

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

/**
 * What computes by libtorch's operators where the kernels cannot read a tensor, against the kernels: float16 inputs, which are
 * the same numbers in float32, and inputs that are not contiguous.
 */
class FusedFallbackTest {
    /** Of float16's results, relative to the largest. */
    private static final double HALF = 3e-3;

    private Scope scope;

    @BeforeEach
    void open() {
        scope = Scope.open();
        torch.manual_seed(9);
    }

    @AfterEach
    void close() {
        scope.close();
    }

    @Test
    void kernels_float16_areNotUsed() {
        assertThat(Kernels.fit(half(torch.ones(1)))).isFalse();
    }

    private static Tensor half(Tensor tensor) {
        return Tensors.to(tensor, DType.F16);
    }

    /** Random float32 numbers that float16 holds exactly. */
    private static Tensor random(long... shape) {
        return Tensors.to(half(torch.randn(shape)), DType.F32);
    }

    /** Output and input gradient. */
    private static List<Tensor> run(Tensor x, UnaryOperator<Tensor> function) {
        Tensor leaf = x.detach().clone().requires_grad_(true);
        Tensor y = function.apply(leaf);
        assertThat(DType.of(y)).isEqualTo(DType.of(x));
        Tensor weights =
                torch.arange(new Scalar(y.numel())).view(Tensors.shape(y)).sin();
        Tensors.to(y, DType.F32).mul(weights).sum().backward();
        return List.of(y.detach(), leaf.grad());
    }

    private static void assertClose(List<Tensor> actual, List<Tensor> expected, double share) {
        for (int i = 0; i < expected.size(); i++) {
            double size = expected.get(i).abs().max().item_double();
            assertThat(Tensors.maxDifference(Tensors.to(actual.get(i), DType.F32), expected.get(i)) / size)
                    .isLessThan(share);
        }
    }

    @Test
    void rmsNorm_float16_equalsKernel() {
        Tensor x = random(11, 37);
        Tensor weight = random(37);
        assertClose(
                run(half(x), v -> RmsNormOp.apply(v, half(weight), 1e-5)),
                run(x, v -> RmsNormOp.apply(v, weight, 1e-5)),
                HALF);
    }

    @Test
    void rmsNorm_weightThatLearns_sameOutputAndItsGradientIsTheSumOverRows() {
        Tensor x = random(11, 37);
        Tensor weight = random(37);
        List<Tensor> expected = run(x, v -> RmsNormOp.apply(v, weight, 1e-5));
        Tensor learns = weight.clone().requires_grad_(true);
        assertClose(run(x, v -> RmsNormOp.apply(v, learns, 1e-5)), expected, 1e-5);
        Tensor factor = torch.arange(new Scalar(11L * 37)).view(11, 37).sin();
        Tensor byHand = expected.getFirst().div(weight).mul(factor).sum(0);
        assertClose(List.of(learns.grad()), List.of(byHand), 1e-5);
    }

    @Test
    void swiGlu_float16_equalsKernel() {
        Tensor x = random(5, 333);
        Tensor up = random(5, 333);
        assertClose(run(half(x), g -> SwiGluOp.apply(g, half(up))), run(x, g -> SwiGluOp.apply(g, up)), HALF);
    }

    @Test
    void swiGlu_transposedInput_equalsKernel() {
        Tensor x = random(40, 24);
        Tensor up = random(24, 40);
        assertClose(run(x, g -> SwiGluOp.apply(g.t(), up)), run(x, g -> SwiGluOp.apply(g.t().contiguous(), up)), 1e-5);
    }

    @Test
    void rotary_float16_equalsKernel() {
        Tensor angle = torch.randn(7, 1, 5);
        Tensor cos = Tensors.to(half(angle.cos()), DType.F32);
        Tensor sin = Tensors.to(half(angle.sin()), DType.F32);
        Tensor x = random(7, 30);
        assertClose(
                run(half(x), v -> RotaryOp.apply(v, 3, RotaryOp.Angles.of(half(cos), half(sin)))),
                run(x, v -> RotaryOp.apply(v, 3, RotaryOp.Angles.of(cos, sin))),
                HALF);
    }

    @ParameterizedTest
    @CsvSource({"7, 7, 0", "7, 29, 0", "7, 29, 4", "1, 20, 0", "40, 40, 6"})
    void causalSoftmax_float16_equalsKernel(int n, int m, int window) {
        CausalSoftmaxOp softmax = new CausalSoftmaxOp(window, 0.3);
        Tensor scores = random(2, 3L * n, m);
        Tensor gradient = random(2, 3L * n, m);
        Tensor[] probabilities = new Tensor[2];
        Tensor[] gradients = new Tensor[2];
        for (int i = 0; i < 2; i++) {
            DType type = i == 0 ? DType.F32 : DType.F16;
            var given = new CausalSoftmaxOp.Block(n, Tensors.to(scores.clone(), type));
            probabilities[i] = softmax.forward(List.of(given)).getFirst().clone();
            var answer = new CausalSoftmaxOp.Block(n, probabilities[i]);
            var down = new CausalSoftmaxOp.Block(n, Tensors.to(gradient.clone(), type));
            gradients[i] = softmax.backward(List.of(answer), List.of(down)).getFirst();
            assertThat(DType.of(gradients[i])).isEqualTo(type);
        }
        assertClose(List.of(probabilities[1], gradients[1]), List.of(probabilities[0], gradients[0]), HALF);
    }

    @Test
    void crossEntropy_float16_equalsKernel() {
        Tensor logits = random(9, 133).mul(new Scalar(4.0));
        Tensor halves = half(logits);
        long[] wanted = {3, 0, 132, 17, 5, 5, 99, 1, 64};

        double expected = CrossEntropyOp.lossAndGradient(logits, wanted, 0.25);

        assertThat(CrossEntropyOp.lossAndGradient(halves, wanted, 0.25)).isCloseTo(expected, within(1e-3));
        assertClose(List.of(halves), List.of(logits), HALF);
    }
}
