package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class LisaMethodTest extends MethodContract {
    @Override
    String method() {
        return "lisa";
    }

    @Override
    String settings() {
        return "{'lisa_activated_layers': 1}";
    }

    @Override
    String impossible() {
        return "{'lisa_activated_layers': 3}";
    }

    @Override
    List<String> suffixes() {
        return List.of();
    }

    @Override
    List<String> sharedKeys() {
        return List.of(
                "base_model.model.model.embed_tokens.weight",
                "base_model.model.model.norm.weight",
                "base_model.model.lm_head.weight");
    }

    @Override
    @Test
    void activate_twoAdapters_addUpOnlyWhileBothAreActive() {
        shaken("a");
        shaken("b");
        assertThatThrownBy(() -> stack.activate(Map.of("a", 1.0, "b", 1.0)))
                .isInstanceOf(LoricaException.Incompatible.class)
                .hasMessageContaining("both replace model.embed_tokens.weight");
    }

    @Test
    void wake_intervals_changesTheDrawnLayersAndNoOther() {
        Adapter adapter = Adapter.create(model, TinyModels.config("lisa", settings()), new Seed(1));
        stack.add("a", adapter);
        stack.activate("a");
        TrainingRule rule = adapter.trainingRule(new Seed(3));
        rule.beforeStep(0, 100);
        List<Trainable> first = inLayers(adapter);
        assertThat(first).hasSize(layerTensors()).allMatch(t -> t.tensor().requires_grad());
        rule.beforeStep(19, 100);
        assertThat(inLayers(adapter)).isEqualTo(first);
        String layer = layer(first);
        long step = 20;
        do { // until the other layer is drawn
            rule.beforeStep(step, 100);
            step += 20;
        } while (layer(inLayers(adapter)).equals(layer));
        assertThat(inLayers(adapter)).hasSize(layerTensors());
        assertThat(adapter.state().keySet())
                .filteredOn(key -> key.contains(layer))
                .hasSize(layerTensors());
        assertThat(adapter.state().entrySet())
                .filteredOn(entry -> entry.getKey().contains(layer))
                .allSatisfy(entry -> {
                    assertThat(entry.getValue().requires_grad()).isFalse();
                    try (Scope _ = Scope.open()) {
                        assertThat(entry.getValue().grad().defined()).isFalse();
                    }
                });
    }

    /** Whole layers, with the norms; 7 matrices, their biases and two norms. */
    private int layerTensors() {
        return (int) model.parameters().keySet().stream()
                .filter(name -> name.startsWith("model.layers.0."))
                .count();
    }

    private static List<Trainable> inLayers(Adapter adapter) {
        return adapter.trainables().stream()
                .filter(trainable -> trainable.name().contains(".layers."))
                .toList();
    }

    private static String layer(List<Trainable> trainables) {
        return trainables.getFirst().name().replaceAll(".*(\\.layers\\.\\d+\\.).*", "$1");
    }

    @Test
    void resumeAt_anyStep_makesTheTensorsThatWereThere() {
        String settings = "{'lisa_activated_layers': 1, 'lisa_interval_steps': 2}";
        for (long step : new long[] {1, 2, 3, 9}) {
            Adapter ran = Adapter.create(model, TinyModels.config("lisa", settings), new Seed(1));
            Adapter resumed = Adapter.create(model, TinyModels.config("lisa", settings), new Seed(1));
            TrainingRule rule = ran.trainingRule(new Seed(5));
            for (long i = 0; i < step; i++) {
                rule.beforeStep(i, 20);
            }
            resumed.trainingRule(new Seed(5)).resumeAt(step);
            assertThat(resumed.state().keySet())
                    .containsExactlyInAnyOrderElementsOf(ran.state().keySet());
            assertThat(names(resumed)).containsExactlyInAnyOrderElementsOf(names(ran));
            ran.close();
            resumed.close();
            model.parameters().values().forEach(io.lorica.model.Parameter::restore);
        }
    }

    private static List<String> names(Adapter adapter) {
        return adapter.trainables().stream().map(Trainable::name).toList();
    }

    @Test
    void sleep_bfloat16Base_keepsTheLayerInTheBasesType() {
        try (var half = TinyModels.open(base(), DType.BF16);
                Adapter adapter =
                        Adapter.create(half, TinyModels.config("lisa", "{'lisa_activated_layers': 1}"), new Seed(1))) {
            TrainingRule rule = adapter.trainingRule(new Seed(3));
            for (long step = 0; step < 400; step += 20) {
                rule.beforeStep(step, 400);
            }
            List<String> awake = names(adapter);
            adapter.state()
                    .forEach((key, tensor) -> assertThat(DType.of(tensor))
                            .as(key)
                            .isEqualTo(awake.contains(key) ? DType.F32 : DType.BF16));
            assertThat(adapter.state()).hasSize(half.parameters().size());
            half.parameters().values().forEach(io.lorica.model.Parameter::restore);
        }
    }

    @Test
    void parameterCount_asleep_isEmbeddingHeadAndNorm() {
        long outside = model.parameters().values().stream()
                .filter(parameter -> !parameter.name().contains(".layers."))
                .mapToLong(parameter -> parameter.frozen().numel())
                .sum();
        assertThat(fresh("a").parameterCount()).isEqualTo(outside);
    }

    @Test
    void parse_targetModules_isRefused() {
        assertThatThrownBy(() -> TinyModels.config("lisa", "{'target_modules': ['q_proj']}"))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("chooses the weights");
    }

    @Test
    void save_afterTraining_holdsTheChangedLayers(@org.junit.jupiter.api.io.TempDir java.nio.file.Path out) {
        Adapter adapter = fresh("a");
        stack.activate("a");
        adapter.trainingRule(new Seed(3)).beforeStep(0, 100);
        TinyModels.shake(adapter, 0.1);
        float[] before = logits();
        adapter.save(out);
        Adapter loaded = Adapter.load(model, out, LoadOptions.STRICT);
        stack.add("b", loaded);
        stack.activate("b");
        assertThat(TinyModels.difference(logits(), before)).isLessThan(1e-5);
        assertThat(loaded.config().toJson().get("changed_layers")).hasSize(1);
        stack.merge(Map.of("b", 1.0), MergeOptions.of(DType.F32));
        assertThat(TinyModels.difference(logits(), before)).isLessThan(1e-5);
        stack.unmerge();
        assertThat(Tensors.floats(model.parameters().firstEntry().getValue().frozen()))
                .isNotEqualTo(Tensors.floats(loaded.state().firstEntry().getValue()));
    }
}
