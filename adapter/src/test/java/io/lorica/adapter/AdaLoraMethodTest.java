package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.SafetensorsFile;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.TensorSource;
import io.lorica.tensor.Tensors;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AdaLoraMethodTest extends MethodContract {
    /** As bench/peers/make_rule_fixtures.py has it. */
    private static final String SCHEDULE = "{'init_r': 5, 'target_r': 2, 'tinit': 2, 'tfinal': 3, 'deltaT': 2,"
            + " 'total_step': 12, 'lora_alpha': 16, " + TARGETS + "}";

    @Override
    String method() {
        return "adalora";
    }

    @Override
    String settings() {
        return "{'init_r': 6, 'target_r': 2, 'lora_alpha': 600, " + TARGETS + "}";
    }

    @Override
    String impossible() {
        return "{'init_r': 400, " + TARGETS + "}";
    }

    @Override
    List<String> suffixes() {
        return List.of(".lora_A", ".lora_B", ".lora_E");
    }

    private static TensorSource fixture() {
        return SafetensorsFile.open(Path.of("src", "test", "resources", "rules", "adalora.safetensors"));
    }

    private Adapter start(TensorSource fixture) {
        Adapter adapter = Adapter.create(model, TinyModels.config("adalora", SCHEDULE), new Seed(1));
        stack.add("a", adapter);
        for (Trainable trainable : adapter.trainables()) {
            trainable.tensor().detach().copy_(fixture.read("start." + plain(trainable)));
        }
        return adapter;
    }

    private static String plain(Trainable trainable) {
        return trainable.name().substring(Adapter.PREFIX.length());
    }

    /** SGD with PEFT's gradients: PEFT's allocator and this one must zero the same entries after each step. */
    @Test
    void afterUpdate_fixedGradients_prunesAsPeftDoes() {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled();
                TensorSource fixture = fixture()) {
            Adapter adapter = start(fixture);
            TrainingRule rule = adapter.trainingRule(new Seed(1));
            for (int step = 1; step <= 12; step++) {
                rule.beforeStep(step - 1, 12);
                for (Trainable trainable : adapter.trainables()) {
                    String name = step + "." + plain(trainable);
                    Tensor gradient = fixture.read("rows." + name).mm(fixture.read("columns." + name));
                    trainable.tensor().mutable_grad().put(gradient);
                    trainable.tensor().sub_(gradient.mul(new Scalar(0.05)));
                }
                rule.afterUpdate(step - 1);
                for (Trainable trainable : adapter.trainables()) {
                    if (trainable.name().endsWith("lora_E")) {
                        String name = "E." + step + "." + plain(trainable);
                        assertThat(Tensors.maxDifference(trainable.tensor(), fixture.read(name)))
                                .as(name)
                                .isLessThan(1e-6);
                    }
                }
            }
        }
    }

    @Test
    void extraLoss_shakenFactors_isPeftsOrthogonalityTerm() {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled();
                TensorSource fixture = fixture()) {
            Tensor extra = start(fixture).trainingRule(new Seed(1)).extraLoss();
            assertThat(Objects.requireNonNull(extra).item_double())
                    .isCloseTo(fixture.read("orthogonality").item_double(), within(1e-5));
        }
    }

    @Test
    void extraLoss_factors_giveThemGradients() {
        try (Scope _ = Scope.open()) {
            Adapter adapter = shaken("a");
            Objects.requireNonNull(adapter.trainingRule(new Seed(1)).extraLoss())
                    .backward();
            assertThat(adapter.trainables())
                    .allMatch(trainable -> trainable.tensor().grad().defined()
                            != trainable.name().endsWith("lora_E"));
        }
    }

    @Test
    void save_afterPruning_cutsTheFileAndKeepsTheLogits(@TempDir Path out) {
        Adapter adapter = shaken("a");
        TrainingRule rule = adapter.trainingRule(new Seed(1));
        rule.beforeStep(0, 2);
        stack.activate("a");
        loss(true);
        rule.afterUpdate(0);
        rule.afterUpdate(1);
        float[] before = logits();
        adapter.save(out);
        long ranks = 0;
        try (TensorSource source = SafetensorsFile.open(out.resolve("adapter_model.safetensors"))) {
            for (String name : source.names()) {
                ranks += name.endsWith("lora_E") ? source.info(name).shape()[0] : 0;
            }
        }
        assertThat(ranks).isEqualTo(4 * 2); // four sites, target_r 2
        Adapter loaded = Adapter.load(model, out, LoadOptions.STRICT);
        stack.add("b", loaded);
        stack.activate("b");
        assertThat(TinyModels.difference(logits(), before)).isLessThan(1e-5);
        assertThatThrownBy(() -> loaded.trainingRule(new Seed(1))).isInstanceOf(LoricaException.Unsupported.class);
    }

    @Test
    void parse_settingsWithoutSense_areRefused() {
        assertThatThrownBy(() -> TinyModels.config("adalora", "{'init_r': 4, 'target_r': 8}"))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("target_r");
        assertThatThrownBy(() -> TinyModels.config("adalora", "{'total_step': 10, 'tinit': 6, 'tfinal': 4}"))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("tinit 6");
        assertThatThrownBy(() -> TinyModels.config("adalora", "{'r': 4}"))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("init_r");
    }
}
