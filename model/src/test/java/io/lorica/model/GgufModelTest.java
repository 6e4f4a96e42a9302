package io.lorica.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import io.lorica.tensor.DType;
import io.lorica.tensor.GgufFile;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.TensorSource;
import io.lorica.tensor.Tensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Converts the fixtures to GGUF as llama.cpp does, row by row, and reads them back. */
class GgufModelTest {
    @TempDir
    Path directory;

    private final Map<String, Object> values = new LinkedHashMap<>();
    private final SequencedMap<String, Tensor> extra = new LinkedHashMap<>();

    /** Writes the fixture as llama.cpp's converter would. */
    private Path convert(String name) {
        Fixture fixture = Fixture.named(name);
        ModelConfig config = fixture.config();
        describe(config);
        Path file = directory.resolve(name + ".gguf");
        try (TensorSource source = fixture.source();
                Scope _ = Scope.open()) {
            SequencedMap<String, Tensor> tensors = new LinkedHashMap<>(extra);
            for (String tensor : source.names()) {
                tensors.put(ggufName(tensor), permuted(source.read(tensor), tensor, config));
            }
            GgufFile.write(file, values, tensors, DType.F32);
        }
        return file;
    }

    private void describe(ModelConfig config) {
        String arch = config.modelType();
        values.putIfAbsent("general.architecture", arch);
        values.put(arch + ".block_count", config.integer("num_hidden_layers"));
        values.put(arch + ".embedding_length", config.integer("hidden_size"));
        values.put(arch + ".feed_forward_length", config.integer("intermediate_size"));
        values.put(arch + ".attention.head_count", config.integer("num_attention_heads"));
        values.put(arch + ".attention.head_count_kv", config.integer("num_key_value_heads"));
        if (config.has("head_dim")) {
            values.put(arch + ".attention.key_length", config.integer("head_dim"));
            values.put(arch + ".rope.dimension_count", config.integer("head_dim"));
        }
        values.put(arch + ".context_length", config.integer("max_position_embeddings"));
        values.put(arch + ".attention.layer_norm_rms_epsilon", (float) config.number("rms_norm_eps", 0));
        values.put(arch + ".rope.freq_base", (float)
                config.object("rope_parameters").orElseThrow().number("rope_theta", 0));
        values.put("tokenizer.ggml.bos_token_id", 1);
        values.put("tokenizer.ggml.eos_token_id", 2);
    }

    private static String ggufName(String name) {
        return name.replace("model.layers.", "blk.")
                .replace("model.embed_tokens", "token_embd")
                .replace("model.norm", "output_norm")
                .replace("lm_head", "output")
                .replace("input_layernorm", "attn_norm")
                .replace("post_attention_layernorm", "ffn_norm")
                .replace("self_attn.o_proj", "attn_output")
                .replace("self_attn.q_proj", "attn_q")
                .replace("self_attn.k_proj", "attn_k")
                .replace("self_attn.v_proj", "attn_v")
                .replace("mlp.gate_proj", "ffn_gate")
                .replace("mlp.up_proj", "ffn_up")
                .replace("mlp.down_proj", "ffn_down");
    }

    /** Row {@code i} of a head's first half goes to {@code 2i}, of its second half to {@code 2i + 1}. */
    private static Tensor permuted(Tensor tensor, String name, ModelConfig config) {
        if (!config.modelType().equals("llama") || !(name.contains("q_proj") || name.contains("k_proj"))) {
            return tensor;
        }
        int heads = config.integer(name.contains("q_proj") ? "num_attention_heads" : "num_key_value_heads");
        long[] shape = Tensors.shape(tensor);
        int rows = (int) shape[0];
        int width = (int) (tensor.numel() / rows);
        int half = rows / heads / 2;
        float[] from = Tensors.floats(tensor);
        float[] to = new float[from.length];
        for (int row = 0; row < rows; row++) {
            int head = row / (2 * half);
            int within = row % (2 * half);
            int target = head * 2 * half + (within < half ? 2 * within : 2 * (within - half) + 1);
            System.arraycopy(from, row * width, to, target * width, width);
        }
        return Tensors.of(to, shape);
    }

    private static float[] logits(ModelFiles files, long[] ids) {
        try (CausalModel model = (CausalModel) ModelLoader.load(files.tensors(), files.config(), DType.F32);
                Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            return Tensors.floats(model.logits(Batch.of(List.of(ids)), Pass.inference()));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"smollm2", "llama2", "llama-biases", "qwen2"})
    void load_convertedFixture_givesTransformersLogits(String name) {
        Fixture fixture = Fixture.named(name);
        float[] actual =
                logits(ModelFiles.open(convert(name)), fixture.longs("ids").getFirst());
        assertThat(Distances.largest(actual, fixture.floats("logits").getFirst()))
                .isLessThan(1e-4);
    }

    @ParameterizedTest
    @CsvSource({"smollm2, true", "llama2, false", "qwen2, true"})
    void config_headOfItsOwn_decidesWhetherTied(String name, boolean tied) {
        assertThat(ModelFiles.open(convert(name)).config().flag("tie_word_embeddings", !tied))
                .isEqualTo(tied);
    }

    @ParameterizedTest
    @ValueSource(strings = {"smollm2", "qwen2"})
    void config_everyKey_equalsHuggingFaces(String name) {
        JsonNode expected = Fixture.named(name).config().json();
        ModelConfig actual = ModelFiles.open(convert(name)).config();
        actual.json().properties().stream()
                .filter(entry -> !entry.getKey().equals("rope_theta"))
                .forEach(entry -> assertThat(entry.getValue().asText())
                        .as(entry.getKey())
                        .isEqualTo(expected.path(entry.getKey()).asText()));
        assertThat(actual.number("rope_theta", 0))
                .isEqualTo(expected.path("rope_parameters").path("rope_theta").asDouble());
    }

    @Test
    void config_linearScaling_isRopeScaling() {
        values.put("llama.rope.scaling.type", "linear");
        values.put("llama.rope.scaling.factor", 4f);
        ModelConfig scaling = ModelFiles.open(convert("smollm2"))
                .config()
                .object("rope_scaling")
                .orElseThrow();
        assertThat(scaling.text("rope_type")).isEqualTo("linear");
        assertThat(scaling.number("factor", 0)).isEqualTo(4);
    }

    @Test
    void config_llama3Divisors_giveTheFactorBack() {
        ModelConfig config = llama3(1);
        assertThat(config.object("rope_scaling").orElseThrow().text("rope_type"))
                .isEqualTo("llama3");
        assertThat(config.object("rope_scaling").orElseThrow().number("factor", 0))
                .isEqualTo(32);
    }

    @Test
    void config_otherDivisors_areRefused() {
        assertThatThrownBy(() -> llama3(7))
                .isInstanceOf(LoricaException.Unsupported.class)
                .hasMessageContaining("rope_freqs.weight");
    }

    /** Heads of 8 and theta 1e5: waves 6.3, 112, 1987 and 35333; the first three keep their speed, the last is slowed. */
    private ModelConfig llama3(float second) {
        try (Scope _ = Scope.open()) {
            extra.put("rope_freqs.weight", Tensors.of(new float[] {1, second, 1, 32}, 4));
            return ModelFiles.open(convert("smollm2")).config();
        }
    }

    @Test
    void open_otherArchitecture_listsTheKnown() {
        values.put("general.architecture", "mamba");
        assertThatThrownBy(() -> ModelFiles.open(convert("smollm2")))
                .isInstanceOf(LoricaException.Unsupported.class)
                .hasMessageContaining("'mamba'")
                .hasMessageContaining("llama, qwen2");
    }

    @Test
    void tensors_unknownTensor_isRefused() {
        try (Scope _ = Scope.open()) {
            extra.put("blk.0.attn_sinks.weight", Tensors.ones(DType.F32, 4));
            ModelFiles files = ModelFiles.open(convert("smollm2"));
            assertThatThrownBy(files::tensors)
                    .isInstanceOf(LoricaException.Unsupported.class)
                    .hasMessageContaining("blk.0.attn_sinks.weight");
        }
    }

    @Test
    void config_missingKey_isNamed() {
        Path file = convert("smollm2");
        values.remove("llama.block_count");
        try (Scope _ = Scope.open()) {
            GgufFile.write(file, values, new LinkedHashMap<>(), DType.F32);
        }
        assertThatThrownBy(() -> ModelFiles.open(file))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("'llama.block_count' is missing");
    }

    @Test
    void generation_turnTokenOfItsOwn_endsGenerationToo() {
        values.put("tokenizer.ggml.eot_token_id", 5);
        assertThat(ModelFiles.open(convert("smollm2")).generation().path("eos_token_id"))
                .hasToString("[2,5]");
    }

    /** The store takes the test's directory for its cache. */
    private Pretrained openBf16(Path file, List<String> notes) {
        ModelStore store = new ModelStore(directory, Catalogue.standard(), Map.of(), notes::add);
        return store.open(file.toString(), DType.BF16);
    }

    @Test
    void open_ggufOfTheCacheInBfloat16_givesTheSameBitsFromTheCopy() {
        Path file = convert("smollm2");
        try (Pretrained copied = openBf16(file, new ArrayList<>());
                BaseModel direct = ModelLoader.load(
                        copied.files().tensors(), copied.files().config(), DType.BF16)) {
            assertThat(file.resolveSibling("smollm2.gguf.bf16.safetensors")).exists();
            direct.parameters()
                    .forEach((name, parameter) -> assertThat(Tensors.maxDifference(
                                    parameter.value(),
                                    Objects.requireNonNull(
                                                    copied.model().parameters().get(name))
                                            .value()))
                            .as(name)
                            .isZero());
        }
    }

    @Test
    void open_ggufOfTheCacheAgain_makesNoSecondCopy() {
        Path file = convert("smollm2");
        List<String> notes = new ArrayList<>();
        openBf16(file, notes).close();
        openBf16(file, notes).close();
        assertThat(notes).singleElement().asString().contains("converting smollm2.gguf");
    }

    @Test
    void open_ggufReplacedSince_isConvertedAgain() throws IOException {
        Path file = convert("smollm2");
        List<String> notes = new ArrayList<>();
        openBf16(file, notes).close();
        Files.setLastModifiedTime(file, FileTime.fromMillis(1_000_000));
        openBf16(file, notes).close();
        assertThat(notes).hasSize(2);
    }
}
