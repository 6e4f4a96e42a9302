package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.model.Batch;
import io.lorica.model.CausalModel;
import io.lorica.model.Pass;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.nio.file.Path;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DyLoraMethodTest extends MethodContract {
    @Override
    String method() {
        return "dylora";
    }

    @Override
    List<String> suffixes() {
        return List.of(".lora_A.weight", ".lora_B.weight");
    }

    @Test
    void use_everyRank_equalsTheExportedLoraOfThatRank(@TempDir Path out) {
        Adapter adapter = shaken("a");
        NestedRanks ranks = adapter.ranks().orElseThrow();
        for (int b = 1; b <= 4; b++) {
            ranks.use(b);
            stack.activate("a");
            float[] expected = logits();
            adapter.save(out.resolve("rank" + b));
            Adapter exported = Adapter.load(model, out.resolve("rank" + b), LoadOptions.STRICT);
            assertThat(exported.config().method().info().name()).isEqualTo(b < 4 ? "lora" : "dylora");
            assertThat(exported.config().toJson().get("r").intValue()).isEqualTo(b);
            stack.add("rank" + b, exported);
            stack.activate("rank" + b);
            assertThat(TinyModels.difference(logits(), expected))
                    .as("rank " + b)
                    .isLessThan(1e-6);
        }
    }

    @Test
    void use_largestRank_isLoraWithTheSameFactors() {
        Adapter adapter = shaken("a");
        Adapter lora = Adapter.create(model, TinyModels.config("lora", settings()), new Seed(1));
        stack.add("lora", lora);
        copyState(adapter, lora);
        stack.activate("a");
        float[] dylora = logits();
        stack.activate("lora");
        assertThat(logits()).isEqualTo(dylora);
    }

    @Test
    void backward_drawnRank_reachesThoseComponentsOnly() {
        gradients("{'r': 4, 'r_min': 2, 'rank_distribution': [0, 1, 0], " + TARGETS + "}", 0, 3);
        gradients("{'r': 4, 'r_min': 2, 'rank_distribution': [0, 1, 0], 'frozen': true, " + TARGETS + "}", 2, 3);
        gradients("{'r': 4, 'granularity': 2, 'rank_distribution': [0, 1], 'frozen': true, " + TARGETS + "}", 2, 4);
    }

    /** Trains one step's gradients and expects them in rows {@code from} to {@code to} of A, columns of B, alone. */
    private void gradients(String settings, int from, int to) {
        Adapter adapter = Adapter.create(model, TinyModels.config("dylora", settings), new Seed(1));
        stack.add("g", adapter);
        TinyModels.shake(adapter, 0.1);
        stack.activate("g");
        adapter.trainingRule(new Seed(5)).beforeStep(0, 10);
        try (Scope _ = Scope.open()) {
            Batch batch = Batch.of(List.of(TinyModels.PROMPT));
            ((CausalModel) model)
                    .logits(batch, Pass.training(new Seed(1)))
                    .square()
                    .sum()
                    .backward();
            for (Trainable trainable : adapter.trainables()) {
                boolean a = trainable.name().contains("lora_A");
                Tensor gradient = trainable.tensor().grad();
                for (int i = 0; i < 4; i++) {
                    assertThat(gradient.select(a ? 0 : 1, i).abs().max().item_double() > 0)
                            .as(trainable.name() + " component " + i)
                            .isEqualTo(i >= from && i < to);
                }
            }
        }
        stack.disable();
        stack.remove("g");
    }

    @Test
    void strictUpdate_momentum_leavesUntrainedComponentsAlone() {
        String settings = "{'r': 4, 'r_min': 2, 'rank_distribution': [0, 1, 0], 'strict_update': true, 'frozen': true, "
                + TARGETS + "}";
        Adapter adapter = Adapter.create(model, TinyModels.config("dylora", settings), new Seed(1));
        stack.add("s", adapter);
        TrainingRule rule = adapter.trainingRule(new Seed(5));
        rule.beforeStep(0, 10);
        rule.beforeUpdate(0);
        List<float[]> before = adapter.trainables().stream()
                .map(t -> Tensors.floats(t.tensor()))
                .toList();
        TinyModels.shake(adapter, 1); // an optimizer that moves everything
        rule.afterUpdate(0);
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            for (int i = 0; i < before.size(); i++) {
                Tensor now = adapter.trainables().get(i).tensor();
                Tensor old = Tensors.of(before.get(i), Tensors.shape(now));
                int dim = adapter.trainables().get(i).name().contains("lora_A") ? 0 : 1;
                for (int component = 0; component < 4; component++) {
                    double moved = Tensors.maxDifference(now.select(dim, component), old.select(dim, component));
                    assertThat(moved > 0).as("component " + component).isEqualTo(component == 2);
                }
            }
        }
    }

    @Test
    void mergeAndUnmerge_changingRanks_leavesTheTensorsAsTheyWere() {
        Adapter adapter = shaken("a");
        float[] base = logits();
        List<float[]> before = adapter.trainables().stream()
                .map(t -> Tensors.floats(t.tensor()))
                .toList();
        for (int b : new int[] {1, 3}) {
            adapter.ranks().orElseThrow().use(b);
            stack.activate("a");
            float[] overlay = logits();
            stack.merge(java.util.Map.of("a", 1.0), MergeOptions.of(io.lorica.tensor.DType.F32));
            assertThat(TinyModels.difference(logits(), overlay)).isLessThan(1e-5);
            stack.unmerge();
        }
        stack.disable();
        assertThat(logits()).isEqualTo(base);
        assertThat(adapter.trainables().stream()
                        .map(t -> Tensors.floats(t.tensor()))
                        .toList())
                .usingRecursiveComparison()
                .isEqualTo(before);
    }

    @Test
    void parse_settingsWithoutSense_areRefused() {
        for (String settings : List.of(
                "{'r': 4, 'r_min': 5}",
                "{'r': 6, 'granularity': 4}",
                "{'r': 4, 'rank_distribution': [1, 2]}",
                "{'r': 4, 'rank_distribution': 'gaussian'}",
                "{'r': 4, 'rank_pattern': {'q_proj': 2}}")) {
            assertThatThrownBy(() -> TinyModels.config("dylora", settings))
                    .as(settings)
                    .isInstanceOf(LoricaException.BadInput.class);
        }
        assertThatThrownBy(() -> fresh("a").ranks().orElseThrow().use(5))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("1 to 4");
    }
}
