package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.model.BaseModel;
import io.lorica.model.Linear;
import io.lorica.tensor.DType;
import io.lorica.tensor.GgufFile;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.nio.file.Path;
import java.util.Objects;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class GgufAdapterTest {
    private static final String ALL = "'target_modules': ['q_proj', 'k_proj', 'v_proj', 'down_proj']";

    private static Adapter shaken(BaseModel model, String method, String settings) {
        Adapter adapter = Adapter.create(model, TinyModels.config(method, settings), new Seed(1));
        TinyModels.shake(adapter, 0.1);
        return adapter;
    }

    /** Row {@code (head, half, i)} of {@code [heads, 2, d/2]} goes to {@code (head, i, half)}, element by element. */
    private static float[] paired(Tensor change, int heads) {
        float[] from = Tensors.floats(change);
        float[] to = new float[from.length];
        int width = (int) change.size(1);
        int half = (int) change.size(0) / heads / 2;
        for (int row = 0; row < change.size(0); row++) {
            int head = row / (2 * half);
            int target = head * 2 * half + row % half * 2 + row / half % 2;
            System.arraycopy(from, row * width, to, target * width, width);
        }
        return to;
    }

    /** What llama.cpp adds to a weight: {@code alpha / r * B A}, r from the tensor itself. */
    private static float[] added(GgufFile file, String weight) {
        Tensor a = file.read(weight + ".lora_a");
        Tensor b = file.read(weight + ".lora_b");
        double scale =
                ((Number) Objects.requireNonNull(file.values().get("adapter.lora.alpha"))).doubleValue() / b.size(1);
        return Tensors.floats(b.mm(a).mul(new Scalar(scale)));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "llama3 | lora | {'r': 4, 'lora_alpha': 6, ",
                "llama3 | lora | {'r': 4, 'rank_pattern': {'k_proj': 2}, 'alpha_pattern': {'v_proj': 3}, ",
                "llama3 | rslora | {'r': 4, ",
                "llama3 | pissa | {'r': 4, ",
                "mistral | lora | {'r': 4, ",
                "qwen2 | lora | {'r': 4, "
            })
    void write_anyScaling_addsWhatTheAdapterAddsInGgufsOrder(
            String base, String method, String settings, @TempDir Path out) {
        Path file = out.resolve("adapter.gguf");
        try (BaseModel model = TinyModels.open(base, DType.F32);
                Adapter adapter = shaken(model, method, settings + ALL + "}")) {
            assertThat(GgufAdapter.write(adapter, file, DType.F32)).isEqualTo(8);
            try (GgufFile written = GgufFile.open(file);
                    Scope _ = Scope.open();
                    Grad _ = Grad.disabled()) {
                assertThat(written.names()).hasSize(16);
                assertThat(written.values())
                        .containsEntry("general.type", "adapter")
                        .containsEntry("adapter.type", "lora")
                        .containsEntry("general.architecture", base.equals("qwen2") ? "qwen2" : "llama");
                adapter.sites().forEach((name, part) -> {
                    Tensor change = part.change(((Linear) part.site()).matrix());
                    String[] pieces = name.split("\\.");
                    String leaf = pieces[pieces.length - 1];
                    String stored = "blk." + pieces[2] + "."
                            + (leaf.equals("down_proj") ? "ffn_down" : "attn_" + leaf.charAt(0)) + ".weight";
                    boolean turned = !base.equals("qwen2") && (leaf.equals("q_proj") || leaf.equals("k_proj"));
                    int heads = model.config()
                            .integer(leaf.equals("q_proj") ? "num_attention_heads" : "num_key_value_heads");
                    float[] expected = turned ? paired(change, heads) : Tensors.floats(change);
                    assertThat(TinyModels.difference(added(written, stored), expected))
                            .as(name)
                            .isLessThan(1e-6);
                });
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"dora, adds more than a product", "loha, adds more than a product"})
    void write_methodOfAnotherForm_isRefusedWithTheWayOut(String method, String reason, @TempDir Path out) {
        try (BaseModel model = TinyModels.open("llama3", DType.F32);
                Adapter adapter = shaken(model, method, "{'r': 4, " + ALL + "}")) {
            assertThatThrownBy(() -> GgufAdapter.write(adapter, out.resolve("adapter.gguf"), DType.F32))
                    .isInstanceOf(LoricaException.Unsupported.class)
                    .hasMessageContaining(reason)
                    .hasMessageContaining("lorica adapter merge");
            assertThat(out.resolve("adapter.gguf")).doesNotExist();
        }
    }

    @Test
    void write_tiedHead_isRefused(@TempDir Path out) {
        try (BaseModel model = TinyModels.open("smollm2", DType.F32);
                Adapter adapter = shaken(model, "lora", "{'r': 4, 'target_modules': ['lm_head', 'q_proj']}")) {
            assertThatThrownBy(() -> GgufAdapter.write(adapter, out.resolve("adapter.gguf"), DType.F32))
                    .isInstanceOf(LoricaException.Unsupported.class)
                    .hasMessageContaining("lm_head is no linear map with a weight of its own");
        }
    }

    @Test
    void write_familyWithoutGgufNames_isRefused(@TempDir Path out) {
        try (BaseModel model = TinyModels.open("gpt2", DType.F32);
                Adapter adapter = shaken(model, "lora", "{'r': 4, 'target_modules': ['c_attn']}")) {
            assertThatThrownBy(() -> GgufAdapter.write(adapter, out.resolve("adapter.gguf"), DType.F32))
                    .isInstanceOf(LoricaException.Unsupported.class)
                    .hasMessageContaining("model_type 'gpt2'")
                    .hasMessageContaining("known: llama, mistral, qwen2");
        }
    }

    @Test
    void write_halfPrecision_isRoundedOnce(@TempDir Path out) {
        Path file = out.resolve("adapter.gguf");
        try (BaseModel model = TinyModels.open("llama3", DType.F32);
                Adapter adapter = shaken(model, "lora", "{'r': 4, " + ALL + "}")) {
            GgufAdapter.write(adapter, file, DType.F16);
            try (GgufFile written = GgufFile.open(file);
                    Scope _ = Scope.open()) {
                Factors factors = Objects.requireNonNull(adapter.sites().get("model.layers.0.mlp.down_proj"))
                        .plainProduct()
                        .orElseThrow();
                Tensor rounded = Tensors.to(factors.a().detach(), DType.F16);
                assertThat(Tensors.maxDifference(written.read("blk.0.ffn_down.weight.lora_a"), rounded))
                        .isZero();
            }
        }
    }
}
