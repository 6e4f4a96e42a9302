package io.lorica.tensor.fused;

import static org.assertj.core.api.Assertions.assertThat;

import io.lorica.tensor.DType;
import io.lorica.tensor.Quantized;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class FewRowsOpTest {
    private static final int IN = 384;

    private static Tensor random(long seed, DType type, long... shape) {
        try (GeneratorOptional generator = new Seed(seed).generator()) {
            return Tensors.to(Tensors.empty(DType.F32, shape).normal_(0, 1, generator), type);
        }
    }

    /** The largest difference to the product in float32 with the same values, as a part of the largest of them. */
    private static double error(Tensor y, Tensor x, Tensor weight) {
        Tensor expected = torch.linear(Tensors.to(x, DType.F32), weight);
        return Tensors.maxDifference(Tensors.to(y, DType.F32), expected)
                / expected.abs().max().item_double();
    }

    /** 80 outputs are a block of the packed layout and a rest. */
    @ParameterizedTest
    @CsvSource({"1, 32", "2, 32", "3, 64", "4, 128", "8, 32", "21, 64", "32, 32"})
    void apply_int4_equalsTheProductWithTheDenseMatrix(int count, int group) {
        try (Scope _ = Scope.open();
                Quantized weight = Quantized.int4(random(3, DType.F32, 80, IN), group, DType.F32)) {
            Tensor x = random(5, DType.F32, count, IN);
            assertThat(FewRowsOp.fits(x, weight)).isTrue();
            assertThat(error(FewRowsOp.apply(x, weight), x, weight.dense(DType.F32)))
                    .isLessThan(1e-5);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3, 32})
    void apply_int8_equalsTheProductWithTheDenseMatrix(int count) {
        try (Scope _ = Scope.open();
                Quantized weight = Quantized.int8(random(3, DType.F32, 83, IN), DType.F32)) {
            Tensor x = random(5, DType.F32, count, IN);
            assertThat(FewRowsOp.fits(x, weight)).isTrue();
            assertThat(error(FewRowsOp.apply(x, weight), x, weight.dense(DType.F32)))
                    .isLessThan(1e-6);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 4})
    void apply_bfloat16Inputs_areRoundedOnlyAtTheEnd(int count) {
        try (Scope _ = Scope.open()) {
            Tensor w = random(3, DType.F32, 160, IN);
            Tensor x = random(5, DType.BF16, count, IN);
            try (Quantized int4 = Quantized.int4(w, 32, DType.BF16);
                    Quantized int8 = Quantized.int8(w, DType.BF16)) {
                assertThat(error(FewRowsOp.apply(x, int4), x, int4.dense(DType.F32)))
                        .isLessThan(1 / 256.0);
                assertThat(error(FewRowsOp.apply(x, int8), x, int8.dense(DType.F32)))
                        .isLessThan(1 / 256.0);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"200, 384", "64, 48", "7, 16"})
    void apply_denseBfloat16_equalsTheProductRoundedOnce(int out, int in) {
        try (Scope _ = Scope.open()) {
            Tensor w = random(3, DType.BF16, out, in);
            Tensor x = random(5, DType.BF16, 1, in);
            assertThat(FewRowsOp.fits(x, w)).isTrue();
            assertThat(error(FewRowsOp.apply(x, w), x, Tensors.to(w, DType.F32)))
                    .isLessThan(1 / 256.0);
        }
    }

    @Test
    void fits_manyRowsOrAnotherType_isFalse() {
        try (Scope _ = Scope.open();
                Quantized int8 = Quantized.int8(random(3, DType.F32, 64, IN), DType.BF16)) {
            assertThat(FewRowsOp.fits(random(1, DType.BF16, 1, IN), int8)).isTrue();
            assertThat(FewRowsOp.fits(random(1, DType.F32, 1, IN), int8)).isFalse();
            assertThat(FewRowsOp.fits(random(1, DType.BF16, 33, IN), int8)).isFalse();
            Tensor dense = random(3, DType.BF16, 64, IN);
            assertThat(FewRowsOp.fits(random(1, DType.BF16, 2, IN), dense)).isFalse();
            assertThat(FewRowsOp.fits(random(1, DType.F32, 1, IN), dense)).isFalse();
        }
    }
}
