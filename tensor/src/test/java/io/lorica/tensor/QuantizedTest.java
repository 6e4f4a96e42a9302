package io.lorica.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.function.Function;
import java.util.stream.Stream;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class QuantizedTest {
    private static final int ROWS = 80; // a whole block of 64 of the packed layout, and a rest
    private static final int COLUMNS = 256;
    private static final double[] NF4 = {
        -1,
        -0.6961928,
        -0.52507305,
        -0.39491749,
        -0.28444138,
        -0.18477343,
        -0.09105004,
        0,
        0.0795803,
        0.1609302,
        0.2461123,
        0.33791524,
        0.44070983,
        0.5626170,
        0.72295684,
        1
    };

    /** A way to hold a weight, and what it should stand for, computed number by number. */
    record Form(String name, Function<Tensor, Quantized> make, Function<float[], double[]> group, int size) {
        @Override
        public String toString() {
            return name;
        }
    }

    static Stream<Form> forms() {
        return Stream.of(
                new Form("int8", w -> Quantized.int8(w, DType.F32), QuantizedTest::int8, COLUMNS),
                new Form("int4-32", w -> Quantized.int4(w, 32, DType.F32), QuantizedTest::int4, 32),
                new Form("int4-64", w -> Quantized.int4(w, 64, DType.F32), QuantizedTest::int4, 64),
                new Form("int4-128", w -> Quantized.int4(w, 128, DType.F32), QuantizedTest::int4, 128),
                new Form("nf4", Quantized::nf4, QuantizedTest::nf4, 64));
    }

    private static double[] int8(float[] w) {
        double scale = bfloat16(largest(w) / 127);
        double[] out = new double[w.length];
        for (int i = 0; i < w.length; i++) {
            out[i] = scale == 0 ? 0 : scale * Math.clamp(Math.rint((float) (w[i] / scale)), -127, 127);
        }
        return out;
    }

    private static double[] int4(float[] w) {
        float min = Float.POSITIVE_INFINITY;
        float max = Float.NEGATIVE_INFINITY;
        for (float value : w) {
            min = Math.min(min, value);
            max = Math.max(max, value);
        }
        double scale = bfloat16((max - min) / 15);
        double zero = bfloat16((float) (min + 8 * scale));
        double[] out = new double[w.length];
        for (int i = 0; i < w.length; i++) {
            double q = scale == 0 ? 0 : Math.clamp(Math.rint((float) ((w[i] - zero) / scale)), -8, 7);
            out[i] = scale * q + zero;
        }
        return out;
    }

    private static double[] nf4(float[] w) {
        float largest = largest(w);
        double[] out = new double[w.length];
        for (int i = 0; i < w.length; i++) {
            double best = 0;
            for (double code : NF4) {
                best = Math.abs(w[i] - largest * code) < Math.abs(w[i] - largest * best) ? code : best;
            }
            out[i] = largest * best;
        }
        return out;
    }

    private static float largest(float[] w) {
        float largest = 0;
        for (float value : w) {
            largest = Math.max(largest, Math.abs(value));
        }
        return largest;
    }

    private static double bfloat16(float value) {
        try (Scope _ = Scope.open()) {
            return Tensors.to(Tensors.of(new float[] {value}, 1), DType.BF16).item_double();
        }
    }

    private static Tensor random(long seed, long... shape) {
        try (GeneratorOptional generator = new Seed(seed).generator()) {
            return Tensors.empty(DType.F32, shape).normal_(0, 1, generator);
        }
    }

    /** With an outlier, an empty and a constant row. */
    private static Tensor weight() {
        Tensor weight = random(3, ROWS, COLUMNS);
        weight.select(0, 1).zero_();
        weight.select(0, 2).fill_(new Scalar(0.375));
        weight.select(0, 3).narrow(0, 7, 1).fill_(new Scalar(9.0));
        return weight;
    }

    @ParameterizedTest
    @MethodSource("forms")
    void dense_everyForm_equalsTheDefinition(Form form) {
        try (Scope _ = Scope.open();
                Quantized quantized = form.make().apply(weight())) {
            float[] w = Tensors.floats(weight());
            float[] found = Tensors.floats(quantized.dense(DType.F32));
            for (int at = 0; at < w.length; at += form.size()) {
                double[] expected = form.group().apply(java.util.Arrays.copyOfRange(w, at, at + form.size()));
                for (int i = 0; i < expected.length; i++) {
                    assertThat((double) found[at + i]).as("element %d", at + i).isCloseTo(expected[i], within(2e-6));
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("forms")
    void dense_bfloat16_isTheFloat32MatrixRoundedOnce(Form form) {
        try (Scope _ = Scope.open();
                Quantized quantized = form.make().apply(weight())) {
            Tensor expected = Tensors.to(quantized.dense(DType.F32), DType.BF16);
            assertThat(Tensors.maxDifference(quantized.dense(DType.BF16), expected))
                    .isZero();
        }
    }

    @ParameterizedTest
    @MethodSource("forms")
    void lookUp_someRows_areThoseOfTheDenseMatrix(Form form) {
        try (Scope _ = Scope.open();
                Quantized quantized = form.make().apply(weight())) {
            Tensor ids = Tensors.of(new long[] {79, 0, 3, 3});
            assertThat(Tensors.floats(quantized.lookUp(ids, DType.F32)))
                    .containsExactly(Tensors.floats(quantized.dense(DType.F32).index_select(0, ids)));
        }
    }

    @ParameterizedTest
    @MethodSource("forms")
    void bytes_everyForm_areAFractionOfFloat32(Form form) {
        try (Scope _ = Scope.open();
                Quantized quantized = form.make().apply(weight())) {
            double bits = 8.0 * quantized.bytes() / (ROWS * COLUMNS);
            assertThat(bits).isLessThan(form.name().equals("int8") ? 8.2 : 6.1);
        }
    }

    @Test
    void int4_ofGgmlsQ41Grid_losesOnlyTheRoundingOfScales() {
        try (Scope _ = Scope.open()) {
            // d q + m with every q present in a group, as a full Q4_1 block has it
            float[] grid = new float[64 * 32];
            for (int i = 0; i < grid.length; i++) {
                grid[i] = 0.0371f * ((i * 7) % 16) - 0.231f;
            }
            Tensor w = Tensors.of(grid, 64, 32);
            try (Quantized quantized = Quantized.int4(w, 32, DType.F32)) {
                assertThat(Quantized.error(w, quantized.dense(DType.F32))).isLessThan(0.004);
            }
        }
    }

    @Test
    void error_ofNothingLost_isZero() {
        try (Scope _ = Scope.open()) {
            assertThat(Quantized.error(weight(), weight())).isZero();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K"})
    void quantized_everyGgmlType_decodesToWhatReadGives(String type) {
        try (Scope _ = Scope.open();
                GgufFile source = GgufFile.open(Fixtures.file("quants.gguf"));
                Quantized quantized = source.quantized(type).orElseThrow()) {
            assertThat(quantized.format()).isEqualTo(type);
            assertThat(quantized.bytes()).isEqualTo(source.info(type).bytes());
            assertThat(Tensors.floats(quantized.dense(DType.F32))).containsExactly(Tensors.floats(source.read(type)));
        }
    }

    @Test
    void quantized_inAnotherOrder_hasThoseRows() {
        try (Scope _ = Scope.open();
                GgufFile source = GgufFile.open(Fixtures.file("quants.gguf"))) {
            Tensor whole = source.read("Q4_1");
            long[] order = new long[(int) whole.size(0)];
            for (int i = 0; i < order.length; i++) {
                order[i] = order.length - 1 - i;
            }
            try (Quantized turned = source.quantized("Q4_1", order).orElseThrow()) {
                assertThat(Tensors.maxDifference(turned.dense(DType.F32), whole.flip(new long[] {0})))
                        .isZero();
            }
        }
    }

    @Test
    void quantized_plainTensor_isEmpty() {
        try (GgufFile source = GgufFile.open(Fixtures.file("quants.gguf"))) {
            assertThat(source.quantized("F16")).isEmpty();
        }
    }

    @Test
    void unload_mappedFile_readsTheSameAfterwards() {
        try (Scope _ = Scope.open();
                GgufFile source = GgufFile.open(Fixtures.file("quants.gguf"))) {
            Tensor view = source.read("F32");
            float[] before = Tensors.floats(view);
            source.unload();
            assertThat(Tensors.floats(view)).containsExactly(before);
        }
    }
}
