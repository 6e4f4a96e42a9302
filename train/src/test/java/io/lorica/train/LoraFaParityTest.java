package io.lorica.train;

import static org.assertj.core.api.Assertions.assertThat;

import io.lorica.adapter.Adapter;
import io.lorica.adapter.AdapterConfig;
import io.lorica.adapter.Trainable;
import io.lorica.adapter.TrainingRule;
import io.lorica.adapter.lowrank.Pair;
import io.lorica.adapter.lowrank.PairAdapter;
import io.lorica.model.CausalModel;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.SafetensorsFile;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.TensorSource;
import io.lorica.tensor.Tensors;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** Steps of PEFT's LoraFAOptimizer (bench/peers/make_rule_fixtures.py) against rule and optimizer here. */
class LoraFaParityTest {
    private static final String SETTINGS =
            "{'r': 4, 'lora_alpha': 8, 'target_modules': ['q_proj'], 'layers_to_transform': [0]}";

    @Test
    void step_sameGradients_movesBAsPeftDoes() {
        try (CausalModel model = TinyRun.model(DType.F32);
                Adapter adapter =
                        Adapter.create(model, AdapterConfig.of("lora-fa", TinyRun.json(SETTINGS)), new Seed(1));
                AdamW optimizer = new AdamW(0.9, 0.999, 1e-12);
                TensorSource fixture =
                        SafetensorsFile.open(Path.of("src/test/resources/fixtures/lora-fa.safetensors"))) {
            Pair pair = ((PairAdapter) adapter.sites().firstEntry().getValue()).pair();
            for (Trainable trainable : adapter.trainables()) {
                optimizer.add(trainable, 1, 0);
            }
            TrainingRule rule = adapter.trainingRule(new Seed(2));
            try (Scope _ = Scope.open();
                    Grad _ = Grad.disabled()) {
                pair.a().copy_(fixture.read("A"));
                for (int step = 0; step < 4; step++) {
                    pair.b().mutable_grad().put(fixture.read("gradient." + step).clone());
                    rule.beforeUpdate(step);
                    optimizer.step(0.01, rule::learningRateFactor);
                    assertThat(Tensors.maxDifference(pair.b(), fixture.read("B." + step)))
                            .as("step " + step)
                            .isLessThan(1e-6);
                }
            }
        }
    }
}
