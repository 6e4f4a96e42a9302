package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.lorica.adapter.lowrank.Pair;
import io.lorica.adapter.lowrank.Start;
import io.lorica.model.BaseModel;
import io.lorica.model.Linear;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.SafetensorsFile;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.TensorSource;
import io.lorica.tensor.Tensors;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PissaMethodTest extends MethodContract {
    private static final String SITE = "model.layers.0.self_attn.q_proj"; // [48, 32]

    @Override
    String method() {
        return "pissa";
    }

    @Override
    double startTolerance() {
        return 1e-4; // two products that cancel
    }

    @Override
    List<String> suffixes() {
        return List.of(".lora_A.weight", ".lora_B.weight");
    }

    /** The weight, the start's factors and {@code W - s B0 A0} of one site. */
    private record Decomposed(Tensor w, Tensor a, Tensor b, Tensor residual, double scaling) {}

    private Decomposed decomposed(String settings) {
        Adapter adapter = Adapter.create(model, TinyModels.config("pissa", settings), new Seed(1));
        stack.add("d" + stack.names().size(), adapter);
        SiteAdapter part = Objects.requireNonNull(adapter.sites().get(SITE));
        Tensor w = Start.frozen((Linear) part.site());
        Tensor a = Objects.requireNonNull(part.tensors().get(Pair.A)).detach();
        Tensor b = Objects.requireNonNull(part.tensors().get(Pair.B)).detach();
        double scaling = ((io.lorica.adapter.lowrank.PairAdapter) part).pair().scaling();
        Tensor residual = w.sub(b.mm(a).mul(new Scalar(scaling)));
        return new Decomposed(w, a, b, residual, scaling);
    }

    private static float[] spectrum(Tensor matrix) {
        return Tensors.floats(torch.linalg_svd(matrix, false, null).get1());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{'r': 4, 'lora_alpha': 2, " + TARGETS + "}",
                "{'r': 4, 'lora_alpha': 4, " + TARGETS + "}",
                "{'r': 4, 'lora_alpha': 8, " + TARGETS + "}",
                "{'r': 4, 'lora_alpha': 8, 'use_rslora': true, " + TARGETS + "}"
            })
    void create_anyScaling_splitsTheWeightAtItsSpectrum(String settings) {
        try (Scope _ = Scope.open()) {
            Decomposed d = decomposed(settings);
            float[] s = spectrum(d.w());
            for (int i = 0; i < 4; i++) {
                assertThat(square(d.a().select(0, i))).isCloseTo(s[i] / d.scaling(), within(1e-4));
                assertThat(square(d.b().select(1, i))).isCloseTo(s[i] / d.scaling(), within(1e-4));
            }
            double rest = 0;
            for (int i = 4; i < s.length; i++) {
                rest += (double) s[i] * s[i];
            }
            assertThat(spectrum(d.residual())[0]).isCloseTo(s[4], within(1e-5f));
            assertThat(square(d.residual())).isCloseTo(rest, within(1e-4));
            assertThat(largest(d.residual().mm(d.a().t()))).isLessThan(1e-4);
            assertThat(largest(d.b().t().mm(d.residual()))).isLessThan(1e-4);
        }
    }

    @Test
    void create_fullRank_leavesNoResidual() {
        try (Scope _ = Scope.open()) {
            Decomposed d = decomposed("{'r': 32, " + TARGETS + "}");
            assertThat(largest(d.residual())).isLessThan(1e-4);
        }
    }

    @Test
    void save_fullRank_loadsThoughTwiceTheRankIsAboveTheSmallerSide(@TempDir Path out) {
        String settings = "{'r': 32, " + TARGETS + "}";
        Adapter adapter = Adapter.create(model, TinyModels.config("pissa", settings), new Seed(1));
        stack.add("a", adapter);
        TinyModels.shake(adapter, 0.1);
        adapter.save(out);
        stack.add("b", Adapter.load(model, out, LoadOptions.STRICT));
        stack.activate("a");
        float[] before = logits();
        stack.activate("b");
        assertThat(TinyModels.difference(logits(), before)).isLessThan(1e-4);
    }

    @Test
    void backward_firstStep_bothFactorsHaveGradients() {
        Adapter adapter = fresh("a");
        stack.activate("a");
        loss(true);
        try (Scope _ = Scope.open()) {
            assertThat(adapter.trainables())
                    .allSatisfy(trainable ->
                            assertThat(largest(trainable.tensor().grad())).isGreaterThan(1e-4));
        }
    }

    @Test
    void save_fresh_isPlainLoraOfTwiceTheRankAndNoChange(@TempDir Path out) {
        float[] base = logits();
        fresh("a").save(out);
        Adapter loaded = Adapter.load(model, out, LoadOptions.STRICT);
        stack.add("b", loaded);
        assertThat(loaded.config().method().info().name()).isEqualTo("lora");
        assertThat(loaded.config().toJson().get("r").asInt()).isEqualTo(8);
        assertThat(loaded.config().toJson().get("lora_alpha").asInt()).isEqualTo(16);
        stack.activate("b");
        assertThat(TinyModels.difference(logits(), base)).isLessThan(1e-4);
    }

    @ParameterizedTest
    @ValueSource(strings = {"pissa", "pissa-gpt2"})
    void create_sameSettingsAsPeft_sameFactorsUpToSigns(String fixture) {
        Path directory = TinyModels.peft(fixture);
        AdapterConfig config = AdapterConfig.read(directory);
        String base = fixture.equals("pissa") ? "llama-biases" : "gpt2";
        try (BaseModel other = TinyModels.open(base, DType.F32);
                Adapter adapter = Adapter.create(other, config, new Seed(1));
                TensorSource expected = SafetensorsFile.open(directory.resolve("expected.safetensors"));
                Scope _ = Scope.open()) {
            adapter.trainables().forEach(trainable -> {
                Tensor theirs = expected.read("start." + trainable.name());
                assertThat(Tensors.maxDifference(trainable.tensor().detach().abs(), theirs.abs()))
                        .as(trainable.name())
                        .isLessThan(1e-4);
            });
        }
    }

    @Test
    void create_randomized_stillStartsAtTheBase() {
        float[] base = logits();
        String settings = "{'r': 4, 'init_lora_weights': 'pissa_niter_2', " + TARGETS + "}";
        stack.add("a", Adapter.create(model, TinyModels.config("pissa", settings), new Seed(1)));
        stack.activate("a");
        assertThat(TinyModels.difference(logits(), base)).isLessThan(1e-4);
    }

    @Test
    void parse_dropout_isRefused() {
        assertThatThrownBy(() -> TinyModels.config("pissa", "{'lora_dropout': 0.1}"))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("'lora_dropout' is 0.1");
    }

    @Test
    void parse_otherInit_isRefused() {
        assertThatThrownBy(() -> TinyModels.config("pissa", "{'init_lora_weights': 'pissa_niter_'}"))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("pissa_niter_N");
    }

    @Test
    void loading_unconvertedRandomizedFile_saysWhyItCannotBeRead() {
        AdapterConfig config = AdapterConfig.parse(
                TinyModels.json("{'peft_type': 'LORA', 'init_lora_weights': 'pissa_niter_4', " + TARGETS + "}"),
                "file");
        assertThat(config.method().info().name()).isEqualTo("pissa");
        assertThatThrownBy(() -> config.method().loading(config.settings(), "file"))
                .isInstanceOf(LoricaException.Unsupported.class)
                .hasMessageContaining("convert the adapter");
    }

    private static double square(Tensor tensor) {
        return tensor.mul(tensor).sum().item_double();
    }

    private static double largest(Tensor tensor) {
        return tensor.abs().max().item_double();
    }
}
