package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MosMethodTest extends MethodContract {
    @Override
    String method() {
        return "mos";
    }

    @Override
    String settings() {
        return "{'r': 4, 'valid_param_lora_r': 3, 'num_chunk_per_vec': 2, " + TARGETS + "}";
    }

    @Override
    List<String> suffixes() {
        return List.of();
    }

    @Override
    List<String> sharedKeys() {
        return List.of(
                "base_model.mos_A.q_proj",
                "base_model.mos_A.down_proj",
                "base_model.mos_B.q_proj",
                "base_model.mos_B.down_proj");
    }

    @Test
    void parameterCount_anyRankAndSharding_isTheBudget() {
        for (String settings :
                List.of(settings(), settings().replace("'num_chunk_per_vec': 2", "'num_chunk_per_vec': 8"))) {
            try (Adapter adapter = Adapter.create(model, TinyModels.config("mos", settings), new Seed(1))) {
                assertThat(adapter.parameterCount()).isEqualTo(2 * 3 * 2 * (32 + 48)); // types, e, layers
            }
        }
    }

    @Test
    void everythingOwn_isPlainLora() {
        String settings = "{'r': 3, 'valid_param_lora_r': 3, 'valid_param_private_r': 3, 'num_chunk_per_vec': 4,"
                + " 'lora_alpha': 6, " + TARGETS + "}";
        Adapter mos = Adapter.create(model, TinyModels.config("mos", settings), new Seed(1));
        stack.add("mos", mos);
        TinyModels.shake(mos, 0.1);
        Adapter lora = Adapter.create(
                model, TinyModels.config("lora", "{'r': 3, 'lora_alpha': 6, " + TARGETS + "}"), new Seed(2));
        stack.add("lora", lora);
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            lora.sites().forEach((name, part) -> {
                String type = name.substring(name.lastIndexOf('.') + 1);
                int layer = name.contains("layers.0") ? 0 : 1; // rows of a layer: 3 vectors of 4 shards
                Tensor a = pool(mos, "mos_A." + type).narrow(0, 12L * layer, 12).reshape(3, -1);
                Tensor b = pool(mos, "mos_B." + type).narrow(0, 12L * layer, 12).reshape(3, -1);
                Objects.requireNonNull(part.tensors().get("lora_A.weight")).copy_(a);
                Objects.requireNonNull(part.tensors().get("lora_B.weight")).copy_(b.t());
            });
        }
        stack.activate("mos");
        float[] logits = logits();
        stack.activate("lora");
        assertThat(TinyModels.difference(logits(), logits)).isLessThan(1e-6);
    }

    @Test
    void change_moreRankThanBudget_isReached() {
        Adapter adapter = shaken("a");
        SiteAdapter part = Objects.requireNonNull(adapter.sites().firstEntry()).getValue();
        try (Scope _ = Scope.open()) {
            Tensor change = part.change(part.site().weight().frozen());
            assertThat(torch.linalg_matrix_rank(change).item_long()).isEqualTo(4); // e is 3
        }
    }

    @Test
    void create_poolA_isSpreadByTheWholeInput() {
        String settings = "{'r': 8, 'valid_param_lora_r': 8, 'num_chunk_per_vec': 8, " + TARGETS + "}";
        Adapter adapter = Adapter.create(model, TinyModels.config("mos", settings), new Seed(1));
        stack.add("a", adapter);
        try (Scope _ = Scope.open()) {
            double deviation = pool(adapter, "mos_A.q_proj").std(true).item_double();
            assertThat(deviation).isCloseTo(1 / Math.sqrt(3 * 32), within(0.1 / Math.sqrt(3 * 32)));
        }
    }

    @Test
    void backward_unusedShard_hasNoGradient() {
        String settings = settings().replace("'r': 4", "'r': 2").replace("_lora_r': 3", "_lora_r': 12");
        Adapter adapter = Adapter.create(model, TinyModels.config("mos", settings), new Seed(1));
        stack.add("a", adapter);
        TinyModels.shake(adapter, 0.1);
        stack.activate("a");
        loss(true);
        try (Scope _ = Scope.open()) {
            float[] perShard =
                    Tensors.floats(pool(adapter, "mos_A.q_proj").grad().abs().sum(1));
            int still = 0;
            for (float size : perShard) {
                still += size == 0 ? 1 : 0;
            }
            assertThat(still).isBetween(48 - 8, 48 - 6); // two layers use two public and two own shards each
        }
    }

    @ParameterizedTest
    @CsvSource({
        "'{`num_chunk_per_vec`: 5}', does not divide both sides",
        "'{`r`: 9, `valid_param_lora_r`: 3, `num_chunk_per_vec`: 2}', but their pool has only 4",
        "'{`valid_param_private_r`: 3}', the private rank must be below the budget",
        "'{`valid_param_private_r`: 2}', the private rank must be below the budget",
    })
    void plan_countsThatDoNotMatch_areNamed(String settings, String fault) {
        String json = settings.replace('`', '\'').replace("}", ", 'target_modules': ['q_proj']}");
        assertThatThrownBy(() -> TinyModels.config("mos", json).plan(SiteShape.of(model), "llama"))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining(fault);
    }

    private static Tensor pool(Adapter adapter, String key) {
        return Objects.requireNonNull(adapter.shared().tensors().get(key), key);
    }

    @Test
    void save_asLora_isReadAsPlainLora(@TempDir Path out) {
        assertSavedAsLora(settings(), out);
    }
}
