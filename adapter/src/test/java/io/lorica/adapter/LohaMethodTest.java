package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.lorica.model.Batch;
import io.lorica.model.CausalModel;
import io.lorica.model.Pass;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.util.List;
import java.util.Objects;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;

class LohaMethodTest extends MethodContract {
    @Override
    String method() {
        return "loha";
    }

    /** Rank 3 computes taken apart, rank 8 forms the change of weight. */
    @Override
    String settings() {
        return "{'r': 3, 'alpha': 6, 'rank_pattern': {'q_proj': 8}, 'alpha_pattern': {'q_proj': 16}, " + TARGETS + "}";
    }

    @Override
    List<String> suffixes() {
        return List.of(".hada_w1_a", ".hada_w1_b", ".hada_w2_a", ".hada_w2_b");
    }

    @Test
    void change_anySite_isTheProductOfTwoProducts() {
        Adapter adapter = shaken("a");
        try (Scope _ = Scope.open()) {
            SiteAdapter part = Objects.requireNonNull(adapter.sites().get("model.layers.1.mlp.down_proj"));
            List<Tensor> f =
                    part.tensors().values().stream().map(Tensor::detach).toList();
            Tensor expected = f.get(0).mm(f.get(1)).mul(f.get(2).mm(f.get(3))); // times 6 / 3
            Tensor change = part.change(part.site().weight().frozen());
            assertThat(Tensors.maxDifference(change, expected.add(expected))).isLessThan(1e-6);
            assertThat(torch.linalg_matrix_rank(change).item_long()).isEqualTo(9); // r^2
        }
    }

    @Test
    void parameterCount_oneSite_isTwiceLoras() {
        Adapter adapter = fresh("a");
        assertThat(adapter.parameterCount()).isEqualTo(2 * (2 * 8 * (32 + 48) + 2 * 3 * (48 + 32)));
    }

    @Test
    void rankDropout_training_dropsWholeOutputsAndGrowsTheRest() {
        String settings = "{'r': 3, 'alpha': 6, 'rank_dropout': 0.5, 'target_modules': ['q_proj']}";
        Adapter adapter = Adapter.create(model, TinyModels.config("loha", settings), new Seed(1));
        stack.add("a", adapter);
        TinyModels.shake(adapter, 0.3);
        SiteAdapter part = Objects.requireNonNull(adapter.sites().get("model.layers.0.self_attn.q_proj"));
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor x = torch.eye(32);
            Tensor zero = Tensors.zeros(DType.F32, 32, 48);
            float[] whole = Tensors.floats(part.apply(x, zero, zero, 1, Pass.inference()));
            float[] dropped = Tensors.floats(part.apply(x, zero, zero, 1, Pass.training(new Seed(5))));
            int kept = 0;
            for (int out = 0; out < 48; out++) {
                kept += dropped[out] != 0 ? 1 : 0;
            }
            assertThat(kept).isBetween(10, 38);
            for (int i = 0; i < whole.length; i++) {
                double expected = dropped[i % 48] == 0 ? 0 : whole[i] * 48.0 / kept;
                assertThat((double) dropped[i]).isCloseTo(expected, within(1e-5));
            }
        }
    }

    @Test
    void moduleDropout_always_leavesTheBaseInTraining() {
        String settings = "{'r': 3, 'module_dropout': 1.0, " + TARGETS + "}";
        Adapter adapter = Adapter.create(model, TinyModels.config("loha", settings), new Seed(1));
        stack.add("a", adapter);
        TinyModels.shake(adapter, 0.3);
        float[] base = logits();
        stack.activate("a");
        assertThat(TinyModels.difference(logits(), base)).isGreaterThan(1e-3);
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Batch batch = Batch.of(List.of(TinyModels.PROMPT));
            assertThat(Tensors.floats(((CausalModel) model).logits(batch, Pass.training(new Seed(1)))))
                    .isEqualTo(base);
        }
    }

    @Test
    void parse_bias_isUnknownAsInPeft() {
        assertThatThrownBy(() -> TinyModels.config("loha", "{'bias': 'all'}"))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("unknown key 'bias'");
    }
}
