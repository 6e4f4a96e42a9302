package io.lorica.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.GradMode;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

class TensorsTest {

    @Test
    void of_floatsAndLongs_comeBackInRowMajorOrder() {
        try (Scope _ = Scope.open()) {
            Tensor matrix = Tensors.of(new float[] {1, 2, 3, 4, 5, 6}, 2, 3);
            assertThat(Tensors.shape(matrix)).containsExactly(2, 3);
            assertThat(Tensors.floats(matrix.t())).containsExactly(1, 4, 2, 5, 3, 6);
            assertThat(Tensors.longs(Tensors.of(new long[] {1L << 60, -1}))).containsExactly(1L << 60, -1);
        }
    }

    @Test
    void of_wrongCount_isRefused() {
        try (Scope _ = Scope.open()) {
            assertThatThrownBy(() -> Tensors.of(new float[] {1}, 2)).hasMessageContaining("1 values do not fill");
        }
    }

    @Test
    void to_sameType_isTheSameTensor() {
        try (Scope _ = Scope.open()) {
            Tensor tensor = Tensors.zeros(DType.F32, 2);
            assertThat(Tensors.to(tensor, DType.F32)).isSameAs(tensor);
            assertThat(DType.of(Tensors.to(tensor, DType.BF16))).isEqualTo(DType.BF16);
        }
    }

    @Test
    void floats_ofBfloat16WithGradient_areTheRoundedValues() {
        try (Scope _ = Scope.open()) {
            Tensor tensor = Tensors.of(new float[] {1.0039062f, -3}, 2).set_requires_grad(true);
            assertThat(Tensors.floats(Tensors.to(tensor, DType.BF16))).containsExactly(1, -3);
        }
    }

    @Test
    void maxDifference_isTheLargestAbsoluteOne() {
        try (Scope _ = Scope.open()) {
            Tensor left = Tensors.of(new float[] {1, 2, 3}, 3);
            Tensor right = Tensors.of(new float[] {1.5f, 0, 3}, 3);
            assertThat(Tensors.maxDifference(left, right)).isEqualTo(2);
            assertThat(Tensors.maxDifference(Tensors.zeros(DType.F32, 0), Tensors.zeros(DType.F32, 0)))
                    .isZero();
        }
    }

    @Test
    void bytes_countsElements() {
        try (Scope _ = Scope.open()) {
            assertThat(Tensors.bytes(Tensors.ones(DType.BF16, 3, 5))).isEqualTo(30);
        }
    }

    /** torch 2.10: {@code torch.randn(4, generator=torch.Generator().manual_seed(42))}. */
    @Test
    void generator_ofASeed_givesTorchsNumbers() {
        try (Scope _ = Scope.open()) {
            GeneratorOptional generator = new Seed(42).generator();
            Tensor drawn = Tensors.empty(DType.F32, 4).normal_(0, 1, generator);
            assertThat(Tensors.floats(drawn))
                    .containsExactly(new float[] {0.33669037f, 0.1288094f, 0.23446237f, 0.23033303f}, within(1e-6f));
        }
    }

    @Test
    void seed_streams_areStableAndDistinct() {
        Seed seed = new Seed(7);
        assertThat(seed.of("init")).isEqualTo(seed.of("init")).isNotEqualTo(seed.of("data"));
        assertThat(seed.of("init")).isNotEqualTo(new Seed(8).of("init"));
        assertThat(seed.of(0)).isNotEqualTo(seed.of(1)).isNotEqualTo(seed);
        assertThat(seed.of("a").of("b")).isNotEqualTo(seed.of("b").of("a"));
    }

    @Test
    void aten_unmappedCall_equalsTheMappedOne() {
        try (Scope _ = Scope.open()) {
            Tensor left = Tensors.of(new float[] {1, 2}, 2);
            Tensor right = Tensors.of(new float[] {10, 20}, 2);
            Tensor sum = Aten.op("aten::add", "Tensor").call(left, right, new IValue(new Scalar(2)));
            assertThat(Tensors.floats(sum)).containsExactly(21, 42);
            assertThat(Tensors.floats(Aten.op("aten::cumsum", "").call(left, 0L, new IValue())))
                    .containsExactly(1, 3);
        }
    }

    @Test
    void aten_unknownOperator_isRefused() {
        assertThatThrownBy(() -> Aten.op("aten::no_such_op", "")).hasMessageContaining("no_such_op");
    }

    @Test
    void grad_disabledThenClosed_recordsAgain() {
        try (Scope _ = Scope.open()) {
            try (Grad _ = Grad.disabled()) {
                try (Grad _ = Grad.enabled()) {
                    assertThat(GradMode.is_enabled()).isTrue();
                }
                assertThat(GradMode.is_enabled()).isFalse();
            }
            assertThat(GradMode.is_enabled()).isTrue();
        }
    }

    @Test
    void scope_closed_isInnermostNoMore() {
        assertThat(PointerScope.getInnerScope()).isNull();
        try (Scope _ = Scope.open()) {
            assertThat(PointerScope.getInnerScope()).isNotNull();
        }
        assertThat(PointerScope.getInnerScope()).isNull();
    }
}
