package io.lorica.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.Adapter;
import io.lorica.adapter.AdapterBase;
import io.lorica.adapter.AdapterReport;
import io.lorica.adapter.AdapterStack;
import io.lorica.adapter.LoadOptions;
import io.lorica.model.ModelStore;
import io.lorica.model.Pretrained;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import io.lorica.train.data.DataSet;
import io.lorica.train.data.ExampleReader;
import io.lorica.train.data.ReadOptions;
import io.lorica.train.data.Template;
import io.lorica.train.eval.LabelScores;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ClassifierRunTest {
    private static final Path FIXTURES = Path.of("src", "test", "resources", "classifier");
    private static final String LEARNING = "{'learning_rate': 1e-2, 'num_train_epochs': 8, 'seed': 7}";

    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path out;

    private static FineTune.Spec spec(String name, Path data, String adapter, String training, Path out) {
        ObjectNode settings = TinyRun.json(adapter);
        return new FineTune.Spec(
                FIXTURES.resolve(name).resolve("base").toString(),
                data,
                null,
                16,
                "lora",
                settings,
                null,
                TinyRun.config(training),
                Template.AUTO,
                Map.of(),
                out,
                false);
    }

    private static Path rows(String name) {
        return FIXTURES.resolve(name).resolve("rows.jsonl");
    }

    private static Trainer.Outcome run(FineTune.Spec spec) {
        try (FineTune job = FineTune.prepare(spec, ModelStore.standard(), TrainListener.SILENT)) {
            return job.run();
        }
    }

    private JsonNode results() throws IOException {
        return new ObjectMapper()
                .readTree(Files.readString(out.resolve("run.json")))
                .path("results");
    }

    @ParameterizedTest
    @ValueSource(strings = {"bert", "llama"})
    void run_separableTexts_learnsToTellThemApart(String name) throws IOException {
        run(spec(name, rows(name), "{'r': 8, 'target_modules': 'all-linear'}", LEARNING, out));
        assertThat(results().path("held-out accuracy").asDouble()).isGreaterThan(0.65);
        assertThat(results().path("held-out matthews").asDouble()).isGreaterThan(0.5);
    }

    @Test
    void run_numbersAsLabels_learnsARegression() throws IOException {
        String topics = Files.readString(rows("llama"));
        Path data = Files.writeString(
                out.resolve("numbers.jsonl"),
                topics.replace("\"food\"", "1.5").replace("\"sky\"", "0.0").replace("\"sport\"", "-1.5"));
        run(spec("roberta", data, "{'r': 8, 'target_modules': 'all-linear'}", LEARNING, out));
        assertThat(results().path("held-out pearson").asDouble()).isGreaterThan(0.6);
    }

    @Test
    void run_reopened_hasTheLabelsNamesAndEqualMeasures() throws IOException {
        run(spec("bert", rows("bert"), "{}", LEARNING, out));
        String base = FIXTURES.resolve("bert").resolve("base").toString();
        try (Pretrained again = AdapterBase.open(ModelStore.standard(), base, DType.F32, out);
                AdapterStack stack = new AdapterStack(again.model())) {
            stack.add("a", Adapter.load(again.model(), out, LoadOptions.STRICT)).activate("a");
            assertThat(again.model().config().labelNames()).containsExactly("food", "sky", "sport");
            DataSet data = new ExampleReader(again.tokenizer(), ReadOptions.ofLength(40)).read(rows("bert"));
            var heldOut = data.split(16, new io.lorica.tensor.Seed(0)).heldOut();
            double accuracy = Objects.requireNonNull(LabelScores.of(
                                    "again",
                                    again.classifier(),
                                    heldOut,
                                    data.labels().orElseThrow())
                            .values()
                            .get("accuracy"))
                    .value();
            assertThat(results().path("held-out accuracy").asDouble()).isCloseTo(accuracy, within(1e-4));
        }
    }

    @Test
    void verify_trainedClassifier_isTrusted() {
        run(spec("llama", rows("llama"), "{}", "{'max_steps': 3, 'learning_rate': 1e-2}", out));
        String base = FIXTURES.resolve("llama").resolve("base").toString();
        try (Pretrained again = AdapterBase.open(ModelStore.standard(), base, DType.F32, out)) {
            AdapterReport report = AdapterReport.verify(out, again.model(), LoadOptions.STRICT);
            assertThat(report.faults()).isEmpty();
            assertThat(report.effect()).isGreaterThan(1e-3);
        }
    }

    @Test
    void run_modulesToSave_holdTheHeadInPeftsKeys() throws IOException {
        run(spec("roberta", rows("roberta"), "{}", "{'max_steps': 1}", out));
        JsonNode config = new ObjectMapper().readTree(Files.readString(out.resolve("adapter_config.json")));
        assertThat(config.path("task_type").asText()).isEqualTo("SEQ_CLS");
        assertThat(config.path("modules_to_save").toString()).isEqualTo("[\"score\",\"classifier\"]");
        try (var file = io.lorica.tensor.SafetensorsFile.open(out.resolve("adapter_model.safetensors"))) {
            assertThat(file.names())
                    .contains("base_model.model.classifier.dense.weight", "base_model.model.classifier.out_proj.bias");
        }
    }

    @Test
    void prepare_taskTypeAgainstTheData_isRefused() {
        assertThatThrownBy(() -> run(spec("bert", rows("bert"), "{'task_type': 'CAUSAL_LM'}", "{}", out)))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("task_type is CAUSAL_LM, but the rows have a label");
        assertThatThrownBy(() -> run(spec("bert", rows("bert"), "{'task_type': 'SEQ_CLASS'}", "{}", out)))
                .isInstanceOf(LoricaException.Unsupported.class)
                .hasMessageContaining("did you mean 'SEQ_CLS'?");
    }

    @Test
    void prepare_oneLabelOnly_isRefused() throws IOException {
        Path data = Files.writeString(out.resolve("same.jsonl"), "{\"text\":\"soup\",\"label\":\"food\"}\n".repeat(20));
        assertThatThrownBy(() -> run(spec("llama", data, "{}", "{}", out)))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("every row has the label 'food'");
    }

    @Test
    void verify_splitOfAStep_changesNothingForAClassifier() {
        try (FineTune job = FineTune.prepare(
                spec("bert", rows("bert"), "{}", "{}", out), ModelStore.standard(), TrainListener.SILENT)) {
            assertThat(job.verify().targets()).isEqualTo(8);
            assertThat(job.verify().ok()).isTrue();
        }
    }
}
