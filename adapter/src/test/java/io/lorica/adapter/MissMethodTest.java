package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.util.List;
import java.util.Objects;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MissMethodTest extends MethodContract {
    @Override
    String method() {
        return "miss";
    }

    /** 10 divides neither 32 nor 48 inputs. */
    @Override
    String settings() {
        return "{'r': 10, " + TARGETS + "}";
    }

    @Override
    List<String> suffixes() {
        return List.of(".miss_block");
    }

    @Test
    void apply_shared_isLoraWithARepeatedIdentity() {
        Adapter miss = shaken("a");
        Adapter lora = Adapter.create(
                model, TinyModels.config("lora", "{'r': 10, 'lora_alpha': 10, " + TARGETS + "}"), new Seed(1));
        stack.add("lora", lora);
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            lora.sites().forEach((name, part) -> {
                Tensor block = block(miss, name, "miss_block");
                Tensor a = Objects.requireNonNull(part.tensors().get("lora_A.weight"));
                a.zero_();
                for (long column = 0; column < a.size(1); column++) {
                    a.select(0, column % 10).narrow(0, column, 1).fill_(new Scalar(1.0));
                }
                Objects.requireNonNull(part.tensors().get("lora_B.weight")).copy_(block.t());
            });
        }
        stack.activate("a");
        float[] logits = logits();
        stack.activate("lora");
        assertThat(TinyModels.difference(logits(), logits)).isLessThan(1e-5);
    }

    @Test
    void mini_asManyColumnsAsOutputs_isPlainSharing() {
        Adapter plain = create("plain", "{'r': 4, 'target_modules': ['q_proj']}");
        Adapter mini = create("mini", "{'r': 4, 'init_weights': 'mini', 'mini_r': 48, 'target_modules': ['q_proj']}");
        TinyModels.shake(plain, 0.1);
        copyState(plain, mini);
        stack.activate("plain");
        float[] logits = logits();
        stack.activate("mini");
        assertThat(logits()).isEqualTo(logits);
    }

    @Test
    void change_mini_repeatsAlongBothSides() {
        Adapter mini = create("mini", "{'r': 8, 'init_weights': 'mini', 'mini_r': 16, 'target_modules': ['q_proj']}");
        TinyModels.shake(mini, 0.1);
        String site = "model.layers.0.self_attn.q_proj"; // [48, 32]
        float[] block = Tensors.floats(block(mini, site, "miss_block"));
        SiteAdapter part = Objects.requireNonNull(mini.sites().get(site));
        try (Scope _ = Scope.open()) {
            float[] change = Tensors.floats(part.change(part.site().weight().frozen()));
            for (int o = 0; o < 48; o++) {
                for (int i = 0; i < 32; i++) {
                    assertThat(change[o * 32 + i]).isEqualTo(block[(i % 8) * 16 + o % 16]);
                }
            }
        }
    }

    @Test
    void parameterCount_oneSite_isRankTimesOutputs() {
        assertThat(create("a", "{'r': 4, 'target_modules': ['q_proj']}").parameterCount())
                .isEqualTo(2 * 4 * 48);
        assertThat(create("b", "{'r': 4, 'init_weights': 'mini', 'mini_r': 6, 'target_modules': ['q_proj']}")
                        .parameterCount())
                .isEqualTo(2 * 4 * 6);
    }

    @ParameterizedTest
    @CsvSource({
        "'{`init_weights`: `bat`, `r`: 10}', does not divide both sides",
        "'{`init_weights`: `mini`, `mini_r`: 7, `r`: 8}', does not divide its output",
        "'{`r`: 33}', is above its input",
    })
    void plan_sizesThatDoNotFit_areNamed(String settings, String fault) {
        String json = settings.replace('`', '\'').replace("}", ", 'target_modules': ['q_proj']}");
        AdapterConfig config = TinyModels.config("miss", json);
        assertThatThrownBy(() -> config.plan(SiteShape.of(model), "llama"))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining(fault)
                .hasMessageContaining("model.layers.0.self_attn.q_proj [48 x 32]");
    }

    @Test
    void parse_misspelledForm_isRefusedWithASuggestion() {
        assertThatThrownBy(() -> TinyModels.config("miss", "{'init_weights': 'mimi'}"))
                .hasMessageContaining("did you mean 'mini'");
    }

    private Adapter create(String name, String settings) {
        Adapter adapter = Adapter.create(model, TinyModels.config("miss", settings), new Seed(1));
        stack.add(name, adapter);
        return adapter;
    }

    private static Tensor block(Adapter adapter, String site, String key) {
        return Objects.requireNonNull(
                Objects.requireNonNull(adapter.sites().get(site)).tensors().get(key));
    }
}
