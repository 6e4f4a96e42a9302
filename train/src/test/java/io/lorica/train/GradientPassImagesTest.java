package io.lorica.train;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.lorica.adapter.Adapter;
import io.lorica.adapter.AdapterConfig;
import io.lorica.adapter.AdapterStack;
import io.lorica.adapter.Trainable;
import io.lorica.model.Batch;
import io.lorica.model.ModelConfig;
import io.lorica.model.ModelLoader;
import io.lorica.model.Pass;
import io.lorica.model.VisionLanguageModel;
import io.lorica.tensor.DType;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.TensorFiles;
import io.lorica.tensor.Tensors;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

/** Blocks that are computed again know which rows are of images, and what is read from images learns below them. */
class GradientPassImagesTest {
    private static final Path FIXTURE = Path.of("..", "model", "src", "test", "resources", "fixtures", "llava");
    private static final String SETTINGS = "{'r_vision': 2, 'r_language': 4, 'lora_dropout': 0.3,"
            + " 'qladder': {'num_queries': 2}, 'target_modules': ['q_proj', 'up_proj']}";

    @Test
    void run_withCheckpointing_givesTheSameGradientsToPairsAndLadder() throws IOException {
        ModelConfig config = new ModelConfig(
                new ObjectMapper().readTree(FIXTURE.resolve("config.json").toFile()), FIXTURE.toString());
        try (VisionLanguageModel model =
                        (VisionLanguageModel) ModelLoader.load(TensorFiles.openModel(FIXTURE), config, DType.F32);
                AdapterStack stack = new AdapterStack(model)) {
            Adapter adapter = Adapter.create(model, AdapterConfig.of("mm-lora", TinyRun.json(SETTINGS)), new Seed(1));
            stack.add("a", adapter).activate("a");
            fillB(adapter);
            Map<String, float[]> plain = gradients(model, adapter, false);
            Map<String, float[]> again = gradients(model, adapter, true);
            assertThat(again.keySet()).isEqualTo(plain.keySet()).anyMatch(name -> name.contains("LadderAdapters"));
            plain.forEach((name, values) -> {
                assertThat(values).as(name).isNotEmpty();
                assertThat(TinyRun.difference(values, again.get(name))).as(name).isLessThan(1e-6);
            });
        }
    }

    private static void fillB(Adapter adapter) {
        for (Trainable trainable : adapter.trainables()) {
            if (trainable.name().endsWith("lora_B.weight")) {
                trainable
                        .tensor()
                        .detach()
                        .normal_(0, 0.2, new Seed(3).of(trainable.name()).generator());
            }
        }
    }

    private static Map<String, float[]> gradients(VisionLanguageModel model, Adapter adapter, boolean checkpointing) {
        try (Scope _ = Scope.open()) {
            Tensor pixels = Tensors.empty(DType.F32, 1, 3, 12, 12).normal_(0, 1, new Seed(4).generator());
            long[] prompt = {5, model.imageToken(), 9, 33};
            Batch batch = Batch.of(List.of(model.expand(prompt, 1), new long[] {7, 12, 3}))
                    .withImages(pixels);
            double _ = new GradientPass(model, checkpointing).run(batch, Pass.training(new Seed(9)), hidden -> {
                Tensor loss =
                        model.head().forward(hidden, Pass.inference()).square().sum();
                loss.backward();
                return loss.item_double();
            });
            Map<String, float[]> gradients = new LinkedHashMap<>();
            for (Trainable trainable : adapter.trainables()) {
                Tensor gradient = Objects.requireNonNull(trainable.tensor().grad());
                gradients.put(trainable.name(), gradient.defined() ? Tensors.floats(gradient) : new float[0]);
                trainable.tensor().mutable_grad().reset();
            }
            return gradients;
        }
    }
}
