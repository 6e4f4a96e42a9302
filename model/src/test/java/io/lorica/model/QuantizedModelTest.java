package io.lorica.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.TensorSource;
import io.lorica.tensor.Tensors;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorArrayRefOptional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class QuantizedModelTest {
    private static final Path GGUF = Path.of("src", "test", "resources", "fixtures", "quantized.gguf");

    private static CausalModel open(String fixture, DType dtype, String format) {
        WeightFormat weights = WeightFormat.parse(format);
        if (fixture.equals("gguf")) {
            GgufModel files = GgufModel.read(GGUF);
            return (CausalModel) ModelLoader.load(files.tensors(), files.config(), dtype, weights);
        }
        Fixture known = Fixture.named(fixture);
        return (CausalModel) ModelLoader.load(known.source(), known.config(), dtype, weights);
    }

    private static float[] logits(CausalModel model, int length) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            long[] ids = LongStream.range(0, length).map(i -> i * 7 % 64).toArray();
            return Tensors.floats(model.logits(Batch.of(List.of(ids)), Pass.inference()));
        }
    }

    private static double difference(float[] left, float[] right) {
        assertThat(left).hasSameSizeAs(right);
        double largest = 0;
        for (int i = 0; i < left.length; i++) {
            largest = Math.max(largest, Math.abs(left[i] - right[i]));
        }
        return largest;
    }

    /** Through packed products (9 tokens) and through the dequantized matrix (40). */
    @ParameterizedTest
    @CsvSource({
        "smollm2, int8, 9",
        "smollm2, int8, 40",
        "smollm2, int4, 9",
        "smollm2, int4, 40",
        "llama3, int4, 9",
        "gpt2, int8, 9",
        "gpt2, int4, 40",
        "gpt2, nf4, 9",
        "gguf, gguf, 9",
        "gguf, int4, 40",
        "gguf, nf4, 40"
    })
    void logits_everyFormat_equalThoseOfTheDequantizedWeights(String fixture, String format, int length) {
        try (CausalModel model = open(fixture, DType.F32, format);
                Scope _ = Scope.open()) {
            float[] held = logits(model, length);
            model.parameters().values().stream()
                    .filter(Parameter::quantized)
                    .forEach(parameter -> parameter.override(parameter.frozen()));
            float[] dense = logits(model, length);
            assertThat(difference(held, dense)).isLessThan(1e-5);
            try (CausalModel exact = open(fixture, DType.F32, "dense")) {
                boolean lossless = format.equals("gguf");
                assertThat(difference(held, logits(exact, length)) < 1e-5)
                        .as("the quantized weights are used")
                        .isEqualTo(lossless);
            }
        }
    }

    @Test
    void formats_int4_isEightBitsForTheVocabularyAndDenseWhereNothingFits() {
        try (CausalModel model = open("llama3", DType.F32, "int4")) {
            assertThat(format(model, "model.layers.0.self_attn.q_proj.weight")).isEqualTo("int4-32");
            assertThat(format(model, "model.embed_tokens.weight")).isEqualTo("int8");
            assertThat(format(model, "lm_head.weight")).isEqualTo("int8");
            assertThat(format(model, "model.layers.0.mlp.down_proj.weight")).isEqualTo("F32"); // 48 columns
            assertThat(format(model, "model.norm.weight")).isEqualTo("F32");
        }
    }

    @Test
    void formats_gguf_areTheFilesOwn() {
        try (CausalModel model = open("gguf", DType.BF16, "gguf")) {
            assertThat(format(model, "model.layers.0.self_attn.k_proj.weight")).isEqualTo("Q4_1");
            assertThat(format(model, "model.layers.1.mlp.down_proj.weight")).isEqualTo("Q8_0");
            assertThat(format(model, "model.norm.weight")).isEqualTo("BF16");
        }
    }

    private static String format(CausalModel model, String name) {
        return Objects.requireNonNull(model.parameters().get(name)).format();
    }

    @ParameterizedTest
    @ValueSource(strings = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"})
    void frozen_gguf_hasTheRowsInHuggingFacesOrder(String site) {
        String name = "model.layers.1." + site + ".weight";
        GgufModel files = GgufModel.read(GGUF);
        try (CausalModel model = open("gguf", DType.F32, "gguf");
                TensorSource source = files.tensors();
                Scope _ = Scope.open()) {
            Tensor held = Objects.requireNonNull(model.parameters().get(name)).frozen();
            assertThat(Tensors.maxDifference(held, source.read(name))).isZero();
        }
    }

    /** {@code dL/dx = dL/dy Q}, with few and with many rows, and where the weight is stored {@code [in, out]}. */
    @ParameterizedTest
    @CsvSource({
        "smollm2, int8, 3",
        "smollm2, int4, 3",
        "smollm2, int4, 70",
        "gpt2, int4, 3",
        "gguf, gguf, 70",
        "gguf, nf4, 3"
    })
    void gradient_ofTheInput_isThatOfTheDequantizedWeight(String fixture, String format, int rows) {
        try (CausalModel model = open(fixture, DType.F32, format);
                Scope _ = Scope.open()) {
            for (Site site : model.sites().values()) {
                if (site instanceof Linear linear && linear.weight().quantized()) {
                    Tensor x = random(1, rows, linear.in()).requires_grad_(true);
                    Tensor dy = random(2, rows, linear.out());
                    linear.base(x).backward(dy, new BoolOptional(), false, new TensorArrayRefOptional());
                    Tensor matrix = linear.fanInFanOut()
                            ? linear.weight().frozen().t()
                            : linear.weight().frozen();
                    assertThat(Tensors.maxDifference(x.grad(), dy.mm(matrix)))
                            .as(linear.name())
                            .isLessThan(1e-5);
                }
            }
        }
    }

    private static Tensor random(long seed, long... shape) {
        try (GeneratorOptional generator = new Seed(seed).generator()) {
            return Tensors.empty(DType.F32, shape).normal_(0, 1, generator);
        }
    }

    @Test
    void forward_threeDimensionsThroughTheWholeGraph_keepsTheShape() {
        try (CausalModel model = open("smollm2", DType.F32, "int8");
                Scope _ = Scope.open()) {
            Linear site = (Linear) Objects.requireNonNull(model.sites().get("model.layers.0.self_attn.k_proj"));
            Tensor x = random(1, 2, 3, site.in()).requires_grad_(true);
            Tensor y = site.base(x);
            assertThat(Tensors.shape(y)).containsExactly(2, 3, site.out());
            y.sum().backward();
            assertThat(Tensors.shape(x.grad())).containsExactly(2, 3, site.in());
        }
    }

    @Test
    void override_onAQuantizedWeight_standsInFrontAndGoesAway() {
        try (CausalModel model = open("smollm2", DType.F32, "int8");
                Scope _ = Scope.open()) {
            float[] before = logits(model, 5);
            Parameter weight = Objects.requireNonNull(model.parameters().get("model.layers.0.mlp.up_proj.weight"));
            weight.override(Tensors.zeros(DType.F32, weight.shape()));
            assertThat(difference(logits(model, 5), before)).isGreaterThan(1e-3);
            weight.restore();
            assertThat(logits(model, 5)).containsExactly(before);
        }
    }

    @Test
    void checkpoint_ofAQuantizedWeight_isTheExactOne() {
        String name = "model.layers.0.mlp.up_proj.weight";
        try (CausalModel model = open("smollm2", DType.BF16, "int4");
                CausalModel dense = open("smollm2", DType.BF16, "dense");
                Scope _ = Scope.open()) {
            Tensor exact = Objects.requireNonNull(dense.parameters().get(name)).frozen();
            Parameter held = Objects.requireNonNull(model.parameters().get(name));
            assertThat(Tensors.maxDifference(held.checkpoint(), exact)).isZero();
            assertThat(Tensors.maxDifference(held.frozen(), exact)).isGreaterThan(0);
        }
    }

    @Test
    void load_ggufFormatFromSafetensors_saysWhatToDo() {
        assertThatThrownBy(() -> open("smollm2", DType.F32, "gguf"))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("no weight can be held as gguf")
                .hasMessageContaining("choose int8 or int4");
    }

    @Test
    void load_packedProductsInFloat64_areRefused() {
        assertThatThrownBy(() -> open("smollm2", DType.F64, "int8"))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("int8 weights cannot compute in float64");
    }

    @Test
    void parse_misspelled_suggests() {
        assertThatThrownBy(() -> WeightFormat.parse("int-4"))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("did you mean")
                .hasMessageContaining("int4-128");
    }

    @ParameterizedTest
    @ValueSource(strings = {"dense", "int8", "int4", "int4-64", "int4-128", "nf4", "gguf"})
    void parse_everyName_isWrittenTheSameWay(String name) {
        assertThat(WeightFormat.parse(name)).hasToString(name);
    }
}
