package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.lorica.model.BaseModel;
import io.lorica.model.Parameter;
import io.lorica.model.Site;
import io.lorica.model.WeightFormat;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import java.util.Map;
import java.util.Objects;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Adapters on a base whose frozen weights are held in few bits. */
class QuantizedBaseTest {
    private static final String ALL = "{'r': 4, 'target_modules': 'all-linear'}";

    private static AdapterStack stack(BaseModel model, String method) {
        Adapter adapter = Adapter.create(model, TinyModels.config(method, ALL), new Seed(1));
        TinyModels.shake(adapter, 0.1);
        AdapterStack stack = new AdapterStack(model).add("a", adapter);
        stack.activate("a");
        return stack;
    }

    @ParameterizedTest
    @CsvSource({"lora, int4", "lora, int8", "dora, int4", "olora, int8", "gpt2 lora, int4", "gpt2 dora, int8"})
    void logits_adaptedQuantizedBase_equalThoseOnTheDequantizedWeights(String what, String format) {
        String fixture = what.startsWith("gpt2") ? "gpt2" : "smollm2";
        try (BaseModel model = TinyModels.open(fixture, DType.F32, WeightFormat.parse(format));
                AdapterStack _ = stack(model, what.replace("gpt2 ", ""));
                Scope _ = Scope.open()) {
            float[] held = TinyModels.logits(model, TinyModels.PROMPT);
            model.parameters().values().stream()
                    .filter(Parameter::quantized)
                    .forEach(parameter -> parameter.override(parameter.frozen()));
            assertThat(TinyModels.difference(held, TinyModels.logits(model, TinyModels.PROMPT)))
                    .isLessThan(1e-5);
        }
    }

    @Test
    void create_methodThatNeedsExactWeights_isRefusedWithTheReason() {
        try (BaseModel model = TinyModels.open("smollm2", DType.F32, WeightFormat.INT4)) {
            assertThatThrownBy(() -> Adapter.create(model, TinyModels.config("pissa", ALL), new Seed(1)))
                    .isInstanceOf(LoricaException.Unsupported.class)
                    .hasMessageContaining("pissa cannot start on a base held as int4")
                    .hasMessageContaining("load the base with dense weights");
        }
    }

    @Test
    void fingerprint_quantizedWhenLoaded_isThatOfTheCheckpoint() {
        try (BaseModel dense = TinyModels.open("smollm2", DType.BF16);
                BaseModel int4 = TinyModels.open("smollm2", DType.BF16, WeightFormat.INT4)) {
            assertThat(Fingerprint.of(int4)).isEqualTo(Fingerprint.of(dense));
        }
    }

    @Test
    void merge_quantizedBase_isDenseAndStatesWhatQuantizingHadTaken() {
        try (BaseModel model = TinyModels.open("llama3", DType.F32, WeightFormat.INT4);
                AdapterStack stack = stack(model, "lora")) {
            float[] overlay = TinyModels.logits(model, TinyModels.PROMPT);
            MergeCertificate certificate = stack.merge(Map.of("a", 1.0), MergeOptions.of(DType.F32));
            assertThat(TinyModels.difference(overlay, TinyModels.logits(model, TinyModels.PROMPT)))
                    .isLessThan(1e-4);
            assertThat(certificate.baseFormat()).isEqualTo(WeightFormat.INT4);
            assertThat(certificate.baseError()).isCloseTo(largestError(), within(1e-6));
            assertThat(certificate.toString()).contains("the base was held as int4, which had rounded");
        }
    }

    /** Over the adapted matrices, computed from two models instead of one. */
    private static double largestError() {
        double largest = 0;
        try (BaseModel dense = TinyModels.open("llama3", DType.F32);
                BaseModel int4 = TinyModels.open("llama3", DType.F32, WeightFormat.INT4);
                Scope _ = Scope.open()) {
            for (Site site : dense.sites().values()) {
                if (site.name().contains("layers")) {
                    Tensor exact = site.weight().frozen();
                    Tensor held = Objects.requireNonNull(int4.sites().get(site.name()))
                            .weight()
                            .frozen();
                    largest = Math.max(
                            largest,
                            exact.sub(held).norm().item_double() / exact.norm().item_double());
                }
            }
        }
        return largest;
    }

    @Test
    void merge_denseBase_saysNothingOfQuantizing() {
        try (BaseModel model = TinyModels.open("llama3", DType.F32);
                AdapterStack stack = stack(model, "lora")) {
            MergeCertificate certificate = stack.merge(Map.of("a", 1.0), MergeOptions.of(DType.F32));
            assertThat(certificate.baseError()).isZero();
            assertThat(certificate.toString()).doesNotContain("held as");
        }
    }
}
