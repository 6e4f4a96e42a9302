package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.util.List;
import java.util.Objects;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LokrMethodTest extends MethodContract {
    @Override
    String method() {
        return "lokr";
    }

    @Override
    String settings() {
        return "{'r': 2, 'alpha': 4, 'init_weights': 'lycoris', " + TARGETS + "}";
    }

    @Override
    String impossible() {
        return "{'target_modules': ['embed_tokens']}";
    }

    @Override
    List<String> suffixes() {
        return List.of(".lokr_w1", ".lokr_w2_a", ".lokr_w2_b");
    }

    @Test
    void change_blockIj_isAnElementOfW1TimesW2() {
        Adapter adapter = shaken("a");
        SiteAdapter part = Objects.requireNonNull(adapter.sites().get("model.layers.0.self_attn.q_proj"));
        try (Scope _ = Scope.open()) { // [48, 32] = [6, 4] kron [8, 8], scaled by 4 / 2
            float[] w1 = Tensors.floats(Objects.requireNonNull(part.tensors().get("lokr_w1")));
            Tensor w2 = Objects.requireNonNull(part.tensors().get("lokr_w2_a"))
                    .mm(Objects.requireNonNull(part.tensors().get("lokr_w2_b")));
            float[] large = Tensors.floats(w2);
            float[] change = Tensors.floats(part.change(part.site().weight().frozen()));
            for (int o = 0; o < 48; o++) {
                for (int i = 0; i < 32; i++) {
                    double expected = 2.0 * w1[o / 8 * 4 + i / 8] * large[o % 8 * 8 + i % 8];
                    assertThat((double) change[o * 32 + i]).isCloseTo(expected, within(1e-6));
                }
            }
        }
    }

    /** The counts of PEFT for a site of 48 x 32: {@code l m + r (k + n)} and the like. */
    @ParameterizedTest
    @CsvSource({
        "'{`r`: 2}', 56", // 6 * 4 + 2 * (8 + 8)
        "'{`r`: 4}', 88", // 4 is half of 8: W2 in full, 6 * 4 + 8 * 8
        "'{`r`: 1, `decompose_both`: true}', 26", // 1 * (6 + 4) + 1 * (8 + 8)
        "'{`r`: 2, `decompose_factor`: 16}', 262", // 2 is above half of 3: 16 * 16 + 3 * 2
    })
    void parameterCount_oneSite_followsTheFactors(String settings, long count) {
        String json = settings.replace('`', '\'').replace("}", ", 'target_modules': ['q_proj']}");
        Adapter adapter = Adapter.create(model, TinyModels.config("lokr", json), new Seed(1));
        stack.add("a", adapter);
        assertThat(adapter.parameterCount()).isEqualTo(2 * count);
    }

    @Test
    void parse_factorZero_isRefused() {
        assertThatThrownBy(() -> TinyModels.config("lokr", "{'decompose_factor': 0}"))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("decompose_factor");
    }
}
