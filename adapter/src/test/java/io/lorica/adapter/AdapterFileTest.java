package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.model.BaseModel;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Scalar;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An adapter that cannot lie: coverage, provenance, self-test, merge certificate. */
class AdapterFileTest {
    private static final String Q = "{'r': 2, 'target_modules': ['q_proj']}";

    private static void save(String base, String settings, Path out) {
        try (BaseModel model = TinyModels.open(base, DType.F32);
                Adapter adapter = Adapter.create(model, TinyModels.config("lora", settings), new Seed(1))) {
            TinyModels.shake(adapter, 0.1);
            adapter.save(out);
        }
    }

    @Test
    void load_whole_statesCoverageAsANumber(@TempDir Path out) {
        save("llama2", Q, out);
        try (BaseModel model = TinyModels.open("llama2", DType.F32);
                Adapter adapter = Adapter.load(model, out, LoadOptions.STRICT)) {
            assertThat(adapter.coverage().orElseThrow()).hasToString("4 of 4 tensors on 2 sites");
        }
    }

    @Test
    void load_missingAndLeftOver_listsBothUnlessPartialIsAllowed(@TempDir Path out) throws Exception {
        save("llama2", "{'r': 2, 'target_modules': ['q_proj', 'k_proj']}", out);
        Path config = out.resolve("adapter_config.json");
        Files.writeString(config, Files.readString(config).replace("k_proj", "v_proj"));
        try (BaseModel model = TinyModels.open("llama2", DType.F32)) {
            assertThatThrownBy(() -> Adapter.load(model, out, LoadOptions.STRICT))
                    .isInstanceOf(LoricaException.Incompatible.class)
                    .hasMessageContaining("4 of 8 tensors on 4 sites")
                    .hasMessageContaining(
                            "missing in the file: base_model.model.model.layers.0.self_attn.v_proj.lora_A")
                    .hasMessageContaining(
                            "without a place in this model: base_model.model.model.layers.0.self_attn.k_proj");
            Adapter.load(model, out, LoadOptions.STRICT.withPartial()).close();
        }
    }

    @Test
    void load_otherShapes_namesThem(@TempDir Path out) {
        save("llama2", Q, out);
        try (BaseModel model = TinyModels.open("llama-biases", DType.F32)) {
            assertThatThrownBy(() -> Adapter.load(model, out, LoadOptions.STRICT))
                    .isInstanceOf(LoricaException.Incompatible.class)
                    .hasMessageContaining("q_proj.lora_B.weight has shape [32, 2]")
                    .hasMessageContaining("ask for [48, 2]");
        }
    }

    @Test
    void load_notFinite_isRefused(@TempDir Path out) {
        try (BaseModel model = TinyModels.open("llama2", DType.F32)) {
            try (Scope _ = Scope.open();
                    Grad _ = Grad.disabled();
                    Scalar nan = new Scalar(Double.NaN);
                    Adapter adapter = Adapter.create(model, TinyModels.config("lora", Q), new Seed(1))) {
                adapter.trainables().getFirst().tensor().fill_(nan);
                adapter.save(out);
            }
            assertThatThrownBy(() -> Adapter.load(model, out, LoadOptions.STRICT))
                    .hasMessageContaining("not finite");
        }
    }

    @Test
    void load_otherBaseOfTheSameShape_isRefusedByItsFingerprint(@TempDir Path out) {
        save("llama2", Q, out);
        Fingerprint other = new Fingerprint("0".repeat(64));
        new Provenance("0.1", "lora", "elsewhere", other, null, 1, null, List.of(2L), null, null).write(out);
        try (BaseModel model = TinyModels.open("llama2", DType.F32)) {
            assertThatThrownBy(() -> Adapter.load(model, out, LoadOptions.STRICT))
                    .isInstanceOf(LoricaException.Incompatible.class)
                    .hasMessageContaining("trained on weights 000000000000 (elsewhere)");
            Adapter.load(model, out, LoadOptions.STRICT.withAnyBase()).close();
        }
    }

    @Test
    void fingerprint_dtypeAndWeights_onlyWeightsCount() {
        try (BaseModel full = TinyModels.open("llama2", DType.F32);
                BaseModel half = TinyModels.open("llama2", DType.BF16)) {
            Fingerprint before = Fingerprint.of(full);
            assertThat(Fingerprint.of(half)).isEqualTo(before);
            try (Scope _ = Scope.open();
                    Grad _ = Grad.disabled();
                    Scalar two = new Scalar(2.0)) {
                // The float32 weights are mapped read-only; the bfloat16 ones are copies.
                half.parameters()
                        .lastEntry()
                        .getValue()
                        .frozen()
                        .view(-1)
                        .narrow(0, 3, 1)
                        .mul_(two);
            }
            assertThat(Fingerprint.of(half)).isNotEqualTo(before);
        }
    }

    @Test
    void provenance_writtenAndRead_isEqual(@TempDir Path out) {
        Provenance written = new Provenance(
                "0.1",
                "lora",
                null,
                new Fingerprint("ab".repeat(32)),
                "cd",
                5,
                "ef",
                List.of(2L, 3L),
                0L,
                List.of("no", "yes"));
        written.write(out);
        assertThat(Provenance.read(out)).contains(written);
    }

    @Test
    void verify_afterTraining_agreesAndNoticesATamperedAdapter(@TempDir Path out) {
        try (BaseModel model = TinyModels.open("llama2", DType.F32);
                AdapterStack stack = new AdapterStack(model)) {
            Adapter adapter = Adapter.create(model, TinyModels.config("lora", Q), new Seed(1));
            TinyModels.shake(adapter, 0.2);
            stack.add("a", adapter);
            adapter.save(out);
            SelfTest.record(stack, "a", List.of()).write(out);
            assertThat(stack.active()).isEmpty();
            AdapterReport good = AdapterReport.verify(out, model, LoadOptions.STRICT);
            assertThat(good.faults()).isEmpty();
            assertThat(good.effect()).isGreaterThan(0.01);
            TinyModels.shake(adapter, 0.2);
            adapter.save(out);
            assertThat(AdapterReport.verify(out, model, LoadOptions.STRICT).faults())
                    .anyMatch(fault -> fault.startsWith("it does not compute what it computed in training"));
        }
    }

    @Test
    void verify_freshAdapter_saysThatItDoesNothing(@TempDir Path out) {
        try (BaseModel model = TinyModels.open("llama2", DType.F32)) {
            try (Adapter adapter = Adapter.create(model, TinyModels.config("lora", Q), new Seed(1))) {
                adapter.save(out);
            }
            assertThat(AdapterReport.verify(out, model, LoadOptions.STRICT).faults())
                    .containsExactly("it changes nothing: the adapted model's logits equal the base's");
        }
    }

    @Test
    void merge_tiedEmbedding_isRefusedAndLeavesTheModelAlone() {
        try (BaseModel model = TinyModels.open("smollm2", DType.F32);
                AdapterStack stack = new AdapterStack(model)) {
            stack.add("a", Adapter.load(model, TinyModels.peft("tied-embedding"), LoadOptions.STRICT));
            float[] base = TinyModels.logits(model, TinyModels.PROMPT);
            assertThatThrownBy(() -> stack.merge(Map.of("a", 1.0), MergeOptions.of(DType.F32)))
                    .isInstanceOf(LoricaException.Unsupported.class)
                    .hasMessageContaining("shared by model.embed_tokens and lm_head");
            assertThat(TinyModels.logits(model, TinyModels.PROMPT)).isEqualTo(base);
        }
    }

    @Test
    void merge_coarsePrecision_isRefusedAboveTheTolerance() {
        try (BaseModel model = TinyModels.open("llama2", DType.F32);
                AdapterStack stack = new AdapterStack(model)) {
            stack.add("a", Adapter.load(model, TinyModels.peft("plain"), LoadOptions.STRICT));
            stack.activate("a");
            float[] overlay = TinyModels.logits(model, TinyModels.PROMPT);
            MergeOptions strict = MergeOptions.of(DType.BF16).withTolerance(1e-6);
            assertThatThrownBy(() -> stack.merge(Map.of("a", 1.0), strict))
                    .isInstanceOf(LoricaException.Incompatible.class)
                    .hasMessageContaining("worst rounding at model.layers");
            assertThat(TinyModels.logits(model, TinyModels.PROMPT)).isEqualTo(overlay);
            assertThat(stack.isMerged()).isFalse();
            assertThat(stack.merge(Map.of("a", 1.0), MergeOptions.of(DType.BF16))
                            .sites())
                    .hasSize(4);
        }
    }

    @Test
    void create_loraAndDora_haveTheirParameterCounts() {
        try (BaseModel model = TinyModels.open("llama2", DType.F32);
                Adapter lora = Adapter.create(model, TinyModels.config("lora", Q), new Seed(1));
                Adapter dora = Adapter.create(model, TinyModels.config("dora", Q), new Seed(1))) {
            assertThat(lora.parameterCount()).isEqualTo(2 * 2 * (32 + 32));
            assertThat(dora.parameterCount()).isEqualTo(2 * (2 * (32 + 32) + 32));
        }
    }

    @Test
    void methods_misspelt_suggests() {
        assertThatThrownBy(() -> Methods.named("lorra")).hasMessageContaining("did you mean 'lora'?");
    }

    @Test
    void parse_keyThatWouldChangeResults_isRefused() {
        assertThatThrownBy(() -> TinyModels.config("lora", "{'use_qalora': true}"))
                .isInstanceOf(LoricaException.Unsupported.class)
                .hasMessageContaining("QALoRA");
    }
}
