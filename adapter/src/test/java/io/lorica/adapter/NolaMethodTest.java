package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NolaMethodTest extends MethodContract {
    @Override
    String method() {
        return "nola";
    }

    @Override
    String settings() {
        return "{'r': 4, 'lora_alpha': 8, 'nola_num_basis': 20, " + TARGETS + "}";
    }

    @Override
    List<String> suffixes() {
        return List.of(".nola_alpha", ".nola_beta");
    }

    @Test
    void backward_firstStep_movesBetaOnly() {
        Adapter adapter = fresh("a");
        stack.activate("a");
        loss(true);
        try (Scope _ = Scope.open()) {
            adapter.sites().forEach((name, part) -> {
                assertThat(largestGradient(part, "nola_alpha")).isZero(); // B is zero
                assertThat(largestGradient(part, "nola_beta")).isPositive();
            });
        }
    }

    private static double largestGradient(SiteAdapter part, String key) {
        return Objects.requireNonNull(part.tensors().get(key))
                .grad()
                .abs()
                .max()
                .item_double();
    }

    @Test
    void parameterCount_anyRank_isTwiceTheBasis() {
        for (int r : new int[] {2, 8}) {
            String settings = settings().replace("'r': 4", "'r': " + r);
            try (Adapter adapter = Adapter.create(model, TinyModels.config("nola", settings), new Seed(1))) {
                assertThat(adapter.parameterCount()).isEqualTo(4 * 2 * 20);
            }
        }
    }

    @Test
    void change_anySite_hasAtMostTheRank() {
        Adapter adapter = shaken("a");
        SiteAdapter part = Objects.requireNonNull(adapter.sites().firstEntry()).getValue();
        try (Scope _ = Scope.open()) {
            Tensor change = part.change(part.site().weight().frozen());
            assertThat(torch.linalg_matrix_rank(change).item_long()).isEqualTo(4);
        }
    }

    @Test
    void create_otherSeed_otherMatrices() {
        Adapter adapter = shaken("a");
        Adapter other = Adapter.create(
                model, TinyModels.config("nola", settings().replace("'r'", "'nola_seed': 1, 'r'")), new Seed(1));
        stack.add("other", other);
        copyState(adapter, other);
        stack.activate("a");
        float[] logits = logits();
        stack.activate("other");
        assertThat(TinyModels.difference(logits(), logits)).isGreaterThan(1e-3);
    }

    @Test
    void create_visionForm_changesTheModelSlightlyAtOnce() {
        String settings = "{'r': 2, 'nola_variant': 'vit', 'ka': 30, 'kb': 40, " + TARGETS + "}";
        Adapter adapter = Adapter.create(model, TinyModels.config("nola", settings), new Seed(1));
        stack.add("a", adapter);
        float[] base = logits();
        stack.activate("a");
        assertThat(TinyModels.difference(logits(), base)).isBetween(1e-6, 0.1);
        assertThat(adapter.parameterCount()).isEqualTo(4 * (30 + 40));
    }

    @Test
    void parse_otherGenerator_isRefused() {
        assertThatThrownBy(() -> TinyModels.config("nola", "{'nola_check': 0.25, " + TARGETS + "}"))
                .isInstanceOf(LoricaException.Incompatible.class)
                .hasMessageContaining("another generator");
    }

    @Test
    void save_asLora_isReadAsPlainLora(@TempDir Path out) {
        assertSavedAsLora(settings(), out);
    }
}
