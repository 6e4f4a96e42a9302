package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.lorica.model.BaseModel;
import io.lorica.model.ModelExport;
import io.lorica.model.ModelStore;
import io.lorica.model.Pretrained;
import io.lorica.model.WeightFormat;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.SafetensorsFile;
import io.lorica.tensor.Scope;
import io.lorica.tensor.TensorSource;
import io.lorica.tensor.Tensors;
import java.nio.file.Path;
import java.util.Objects;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class QPissaTest {
    private static final Path FIXTURE = Path.of("src", "test", "resources", "qpissa", "nf4.safetensors");
    private static final String TARGETS = "'target_modules': ['q_proj', 'down_proj']";
    private static final String SETTINGS = "{'r': 8, 'lora_alpha': 16, " + TARGETS + "}";

    @SuppressWarnings("NullAway.Init")
    private Pretrained base;

    @BeforeEach
    void open() {
        base = ModelStore.standard().open("lorica-tiny", DType.F32);
    }

    @AfterEach
    void close() {
        base.close();
    }

    private QuantizedSplit split(WeightFormat format, int iterations) {
        return Methods.named("pissa")
                .splitQuantized(base.model(), TinyModels.config("lora", SETTINGS), format, iterations, _ -> {});
    }

    private double reduction(WeightFormat format, int iterations) {
        try (QuantizedSplit split = split(format, iterations)) {
            return split.reduction();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"nf4", "int4", "int8"})
    void split_once_isNearerThanQuantizing(String format) {
        assertThat(reduction(WeightFormat.parse(format), 1)).isPositive();
    }

    @Test
    void split_again_isNearerStill() {
        assertThat(reduction(WeightFormat.NF4, 4)).isGreaterThan(reduction(WeightFormat.NF4, 1) + 0.01);
    }

    /** As bench/peers/make_qpissa_fixture.py computes it. */
    @ParameterizedTest
    @ValueSource(ints = {1, 3})
    void split_nf4_givesThePapersFactorsAndResidual(int iterations) {
        AdapterConfig lora = TinyModels.config("lora", "{'r': 4, 'lora_alpha': 8, 'target_modules': ['w']}");
        try (TensorSource expected = SafetensorsFile.open(FIXTURE);
                BaseModel model = OneSite.open(FIXTURE, 64, 128);
                QuantizedSplit split =
                        Methods.named("pissa").splitQuantized(model, lora, WeightFormat.NF4, iterations, _ -> {});
                Scope _ = Scope.open()) {
            SiteAdapter part = Objects.requireNonNull(split.adapter().sites().get("w"));
            Tensor residual = part.site().weight().value();
            assertThat(Tensors.maxDifference(part.change(residual), expected.read("product." + iterations)))
                    .isLessThan(1e-5);
            assertThat(Tensors.maxDifference(residual, expected.read("residual." + iterations)))
                    .isLessThan(1e-5);
            QuantizedSplit.SiteError error = split.errors().getFirst();
            assertThat(error.split())
                    .isCloseTo(expected.read("error." + iterations).item_double(), within(1e-4));
            assertThat(error.plain()).isCloseTo(expected.read("error.plain").item_double(), within(1e-4));
        }
    }

    @Test
    void close_afterSplit_leavesTheBaseAsItWas() {
        float[] before = TinyModels.logits(base.model(), TinyModels.PROMPT);
        try (QuantizedSplit _ = split(WeightFormat.NF4, 1)) {
            assertThat(TinyModels.difference(TinyModels.logits(base.model(), TinyModels.PROMPT), before))
                    .isGreaterThan(1e-3);
        }
        assertThat(TinyModels.logits(base.model(), TinyModels.PROMPT)).isEqualTo(before);
    }

    /** All linear maps, since NF4 holds all of them. */
    @Test
    void saved_thenHeldInTheFormat_computesWhatWasSplit(@TempDir Path out) {
        String settings = "{'r': 8, 'lora_alpha': 16, 'target_modules': 'all-linear'}";
        Path model = out.resolve("model");
        Path adapter = out.resolve("adapter");
        float[] wanted;
        try (QuantizedSplit split = Methods.named("pissa")
                .splitQuantized(base.model(), TinyModels.config("lora", settings), WeightFormat.NF4, 2, _ -> {})) {
            ModelExport.toDirectory(base, model, DType.F32);
            split.adapter().save(adapter);
            wanted = adapted(base, adapter);
        }
        try (Pretrained held = ModelStore.standard().open(model.toString(), DType.F32, WeightFormat.NF4)) {
            assertThat(TinyModels.difference(adapted(held, adapter), wanted)).isLessThan(1e-4);
        }
    }

    private static float[] adapted(Pretrained on, Path adapter) {
        try (AdapterStack stack = new AdapterStack(on.model())) {
            stack.add("a", Adapter.load(on.model(), adapter, LoadOptions.STRICT))
                    .activate("a");
            return TinyModels.logits(on.model(), TinyModels.PROMPT);
        }
    }

    @Test
    void split_formatThatIsNone_isRefused() {
        assertThatThrownBy(() -> split(WeightFormat.DENSE, 1))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("nf4, int4 or int8, not dense");
    }

    @Test
    void split_noIteration_isRefused() {
        assertThatThrownBy(() -> split(WeightFormat.NF4, 0)).hasMessageContaining("1 or more iterations, not 0");
    }
}
