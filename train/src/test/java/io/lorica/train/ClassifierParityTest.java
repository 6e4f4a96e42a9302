package io.lorica.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.lorica.adapter.Adapter;
import io.lorica.adapter.AdapterBase;
import io.lorica.adapter.AdapterStack;
import io.lorica.adapter.LoadOptions;
import io.lorica.model.ModelStore;
import io.lorica.model.Pass;
import io.lorica.model.Pretrained;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import io.lorica.train.data.Example;
import io.lorica.train.data.ExampleReader;
import io.lorica.train.data.ReadOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Against PEFT, which wrote the adapters with {@code bench/peers/make_classifier_fixtures.py}. */
class ClassifierParityTest {
    private static final Path FIXTURES = Path.of("src", "test", "resources", "classifier");

    @ParameterizedTest
    @CsvSource({"bert, start, before", "bert, trained, after", "roberta, trained, after", "llama, trained, after"})
    void load_adapterOfPeft_givesItsScores(String name, String adapter, String when) throws IOException {
        try (Tiny tiny = new Tiny(name, adapter)) {
            for (int i = 0; i < 5; i++) {
                assertThat(tiny.scores(tiny.examples.get(i)))
                        .containsExactly(floats(expected(name).get(when).get(i)), within(1e-4F));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"bert", "roberta", "llama"})
    void train_fromTheSameStart_hasPeftsLossesAndScores(String name, @TempDir Path out) throws IOException {
        JsonNode expected = expected(name);
        List<Double> losses = new ArrayList<>();
        TrainListener listener = new TrainListener() {
            @Override
            public void step(Step step) {
                losses.add(step.loss());
            }
        };
        TrainConfig config = TinyRun.config("{'learning_rate': " + expected.get("rate")
                + ", 'per_device_train_batch_size': 4, 'gradient_accumulation_steps': 2, 'max_grad_norm': 0,"
                + " 'lr_scheduler_type': 'constant', 'gradient_checkpointing': true}");
        try (Tiny tiny = new Tiny(name, "start")) {
            Trainer.Outcome _ = new Trainer(tiny.trainee(), config, listener)
                    .inGivenOrder()
                    .train(tiny.examples, List.of(), TinyRun.run(out, false));
            for (int i = 0; i < losses.size(); i++) {
                assertThat(losses.get(i))
                        .as("step %d", i)
                        .isCloseTo(expected.get("losses").get(i).asDouble(), within(1e-4));
            }
            assertThat(tiny.scores(tiny.examples.getFirst()))
                    .containsExactly(floats(expected.get("after").get(0)), within(2e-3F));
        }
    }

    private static JsonNode expected(String name) throws IOException {
        return new ObjectMapper()
                .readTree(FIXTURES.resolve(name).resolve("expected.json").toFile());
    }

    private static float[] floats(JsonNode list) {
        float[] values = new float[list.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = list.get(i).floatValue();
        }
        return values;
    }

    /** A base with an adapter of PEFT on it, and the rows. */
    private static final class Tiny implements AutoCloseable {
        private final Pretrained base;
        private final AdapterStack stack;
        private final Adapter adapter;
        private final List<Example> examples;

        Tiny(String name, String adapterName) {
            Path directory = FIXTURES.resolve(name);
            Path files = directory.resolve(adapterName);
            base = AdapterBase.open(
                    ModelStore.standard(), directory.resolve("base").toString(), DType.F32, files);
            stack = new AdapterStack(base.model());
            adapter = Adapter.load(base.model(), files, LoadOptions.STRICT.withTraining());
            stack.add("peft", adapter).activate("peft");
            examples = new ExampleReader(base.tokenizer(), ReadOptions.ofLength(40))
                    .read(directory.resolve("rows.jsonl"))
                    .examples();
        }

        AdapterTrainee trainee() {
            return new AdapterTrainee(base.classifier(), adapter, new Seed(1));
        }

        float[] scores(Example example) {
            try (Scope _ = Scope.open();
                    Grad _ = Grad.disabled()) {
                return Tensors.floats(base.classifier().scores(Example.batch(List.of(example)), Pass.inference()));
            }
        }

        @Override
        public void close() {
            stack.close();
            base.close();
        }
    }
}
