package io.lorica.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.lorica.adapter.Trainable;
import io.lorica.model.BpeTrainer;
import io.lorica.model.CausalModel;
import io.lorica.model.ModelConfig;
import io.lorica.model.ModelLoader;
import io.lorica.model.ModelStore;
import io.lorica.model.Tokenizer;
import io.lorica.model.WeightFormat;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.SafetensorsFile;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.TensorSource;
import io.lorica.tensor.Tensors;
import io.lorica.tensor.Threads;
import io.lorica.train.data.Template;
import io.lorica.train.report.MetricsLog;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class JobGroupTest {
    private static final PretrainConfig SIZES = new PretrainConfig(64, 32, 48, 2, 4, 2, 64);
    private static final String LORA = "{'r': 4, 'lora_alpha': 8, 'target_modules': 'all-linear', 'lora_dropout': 0.1}";
    private static final String DORA =
            "{'r': 2, 'use_dora': true, 'target_modules': ['q_proj', 'down_proj', 'lm_head']}";
    private static final String MIXLORA =
            "{'r': 2, 'num_experts': 3, 'target_modules': ['q_proj', 'gate_proj', 'down_proj']}";

    private static final JobGroup.Sharing ONE_LANE = new JobGroup.Sharing(1024, 1);

    @TempDir
    @SuppressWarnings("NullAway.Init")
    static Path base;

    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path directory;

    /** A random Llama with a tokenizer of its own. */
    @BeforeAll
    static void writeBase() throws IOException {
        BpeTrainer.of(280).train(Stream.of("ab cd ab cd lora mixed")).write(base);
        try (Tokenizer tokenizer = Tokenizer.fromDirectory(base)) {
            int vocabulary = tokenizer.vocabularySize();
            ModelConfig config = SIZES.modelConfig(vocabulary, 0, 0, 0);
            FreshWeights weights = new FreshWeights(SIZES.shapes(vocabulary), SIZES.numHiddenLayers(), new Seed(5));
            try (CausalModel model = (CausalModel) ModelLoader.load(weights, config, DType.F32, WeightFormat.DENSE);
                    FullTrainee whole = new FullTrainee(model, DType.F32)) {
                whole.save(base);
            }
            Files.writeString(base.resolve("config.json"), config.json().toString());
        }
    }

    @BeforeEach
    void oneThread() {
        Threads.set(1);
    }

    private FineTune.Spec spec(String name, String method, String settings, String training) throws IOException {
        Path data = directory.resolve(name + ".jsonl");
        Files.write(
                data,
                IntStream.range(0, 20)
                        .mapToObj(i -> "{\"text\": \"" + name + " " + "ab cd ".repeat(1 + i % 4) + i + "\"}")
                        .toList());
        return new FineTune.Spec(
                base.toString(),
                data,
                null,
                4,
                method,
                TinyRun.json(settings),
                null,
                TinyRun.config("{'learning_rate': 0.01, 'per_device_train_batch_size': 3, " + training + "}"),
                Template.AUTO,
                Map.of(),
                directory.resolve("run-" + name),
                false);
    }

    private static List<JobGroup.Result> train(JobGroup.Sharing sharing, JobGroup.Job... jobs) {
        try (JobGroup group =
                JobGroup.prepare(List.of(jobs), sharing, ModelStore.standard(), _ -> TrainListener.SILENT)) {
            return group.run();
        }
    }

    /** The same, and after its second step something is done to what one of them learns. */
    private static List<JobGroup.Result> trainSpoiling(
            String whose, Consumer<List<Trainable>> spoil, JobGroup.Job... jobs) {
        List<Trainable> learned = new ArrayList<>();
        TrainListener spoils = new TrainListener() {
            @Override
            public void step(Step step) {
                if (step.step() == 2) {
                    spoil.accept(learned);
                }
            }
        };
        try (JobGroup group = JobGroup.prepare(
                List.of(jobs),
                ONE_LANE,
                ModelStore.standard(),
                name -> name.equals(whose) ? spoils : TrainListener.SILENT)) {
            learned.addAll(
                    Objects.requireNonNull(group.tasks().get(whose)).adapter().trainables());
            return group.run();
        }
    }

    private static Trainer.Outcome alone(FineTune.Spec spec) {
        try (FineTune job = FineTune.prepare(spec, ModelStore.standard(), TrainListener.SILENT)) {
            return job.run();
        }
    }

    private Path moved(FineTune.Spec spec) throws IOException {
        Path from = Objects.requireNonNull(spec.out());
        return Files.move(from, from.resolveSibling(from.getFileName() + "-alone"));
    }

    /** Trains each alone, and moves what came out of the way. */
    private List<Path> alone(List<FineTune.Spec> specs) throws IOException {
        List<Path> runs = new ArrayList<>();
        for (FineTune.Spec spec : specs) {
            alone(spec);
            runs.add(moved(spec));
        }
        return runs;
    }

    private static List<Double> losses(Path run) {
        return MetricsLog.read(run.resolve("metrics.jsonl")).stream()
                .map(line -> line.path("train_loss"))
                .filter(loss -> loss.isNumber())
                .map(loss -> loss.asDouble())
                .toList();
    }

    private static double difference(Path left, Path right) {
        double largest = 0;
        try (Scope _ = Scope.open();
                TensorSource one = SafetensorsFile.open(left.resolve("adapter_model.safetensors"));
                TensorSource other = SafetensorsFile.open(right.resolve("adapter_model.safetensors"))) {
            assertThat(one.names()).isEqualTo(other.names());
            for (String name : one.names()) {
                largest = Math.max(largest, Tensors.maxDifference(one.read(name), other.read(name)));
            }
        }
        return largest;
    }

    /** Jobs of three methods with other lengths, micro-batches and starts, in passes of any width. */
    @Test
    void run_severalJobs_eachLearnsWhatItLearnsAlone() throws IOException {
        List<FineTune.Spec> specs = List.of(
                spec("lora", "lora", LORA, "'max_steps': 6, 'gradient_accumulation_steps': 2"),
                spec("dora", "lora", DORA, "'max_steps': 4"),
                spec("mixed", "mixlora", MIXLORA, "'max_steps': 5"));
        List<Path> expected = alone(specs);
        List<JobGroup.Result> results = train(
                ONE_LANE,
                new JobGroup.Job("lora", specs.get(0), 0),
                new JobGroup.Job("dora", specs.get(1), 1),
                new JobGroup.Job("mixed", specs.get(2), 3));
        assertThat(results).allMatch(result -> result.failure() == null);
        for (int i = 0; i < specs.size(); i++) {
            Path out = Objects.requireNonNull(specs.get(i).out());
            List<Double> alone = losses(expected.get(i));
            List<Double> together = losses(out);
            assertThat(together).hasSameSizeAs(alone);
            for (int step = 0; step < alone.size(); step++) {
                assertThat(together.get(step)).isCloseTo(alone.get(step), within(1e-5));
            }
            assertThat(difference(expected.get(i), out)).isLessThan(1e-4);
        }
    }

    @Test
    void run_gradientCheckpointing_learnsTheSame() throws IOException {
        FineTune.Spec spec = spec("one", "lora", LORA, "'max_steps': 3, 'gradient_checkpointing': true");
        FineTune.Spec other = spec("two", "mixlora", MIXLORA, "'max_steps': 3");
        alone(spec);
        Path expected = moved(spec);
        train(ONE_LANE, new JobGroup.Job("one", spec, 0), new JobGroup.Job("two", other, 0));
        assertThat(difference(expected, Objects.requireNonNull(spec.out()))).isLessThan(1e-4);
    }

    @Test
    void run_oneDiverges_theOthersEndAsAlone() throws IOException {
        FineTune.Spec good = spec("good", "lora", LORA, "'max_steps': 5");
        FineTune.Spec bad = spec("bad", "lora", LORA, "'max_steps': 5");
        alone(good);
        Path expected = moved(good);
        List<JobGroup.Result> results = trainSpoiling(
                "bad",
                learned -> learned.forEach(JobGroupTest::fillWithNaN),
                new JobGroup.Job("bad", bad, 0),
                new JobGroup.Job("good", good, 0));
        assertThat(results.getFirst().failure()).isInstanceOf(LoricaException.Diverged.class);
        assertThat(results.getLast().outcome()).isNotNull();
        assertThat(difference(expected, Objects.requireNonNull(good.out()))).isLessThan(1e-4);
    }

    private static void fillWithNaN(Trainable trainable) {
        try (Grad _ = Grad.disabled();
                Scalar nothing = new Scalar(Double.NaN)) {
            trainable.tensor().fill_(nothing);
        }
    }

    /** The head is behind the hidden states: one job's gradients of it are there when the next one's loss fails. */
    @Test
    void run_passFailsAfterGradients_theOthersEndAsAlone() throws IOException {
        FineTune.Spec good = spec("good", "lora", DORA, "'max_steps': 5, 'gradient_accumulation_steps': 2");
        FineTune.Spec bad = spec("bad", "lora", DORA, "'max_steps': 5");
        alone(good);
        Path expected = moved(good);
        List<JobGroup.Result> results = trainSpoiling(
                "bad",
                learned -> learned.stream()
                        .filter(trainable -> trainable.name().contains("lm_head.lora_B"))
                        .forEach(trainable -> shorten(trainable.tensor())),
                new JobGroup.Job("good", good, 0),
                new JobGroup.Job("bad", bad, 0));
        assertThat(results.getLast().failure()).isNotNull();
        assertThat(results.getFirst().outcome()).isNotNull();
        assertThat(losses(Objects.requireNonNull(good.out())))
                .usingElementComparator((one, other) -> Math.abs(one - other) < 1e-5 ? 0 : Double.compare(one, other))
                .isEqualTo(losses(expected));
        assertThat(difference(expected, Objects.requireNonNull(good.out()))).isLessThan(1e-4);
    }

    /** Leaves out a row, so that a product with it fails. */
    private static void shorten(Tensor tensor) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            tensor.__dispatch_set_data(
                    tensor.detach().narrow(0, 1, tensor.size(0) - 1).clone());
        }
    }

    /** A gradient of another shape is in the way of one, once: what the others got before must not count twice. */
    @Test
    void run_backwardPassFailsOnce_allLearnAsAlone() throws IOException {
        FineTune.Spec one = spec("one", "lora", LORA, "'max_steps': 5, 'gradient_accumulation_steps': 2");
        FineTune.Spec two = spec("two", "lora", LORA, "'max_steps': 5");
        List<Path> expected = alone(List.of(one, two));
        List<JobGroup.Result> results = trainSpoiling(
                "two",
                learned -> {
                    Tensor tensor = learned.get(learned.size() / 2).tensor();
                    try (Scope _ = Scope.open()) {
                        tensor.mutable_grad().put(Tensors.zeros(DType.F32, 1));
                    }
                },
                new JobGroup.Job("one", one, 0),
                new JobGroup.Job("two", two, 0));
        assertThat(results).allMatch(result -> result.failure() == null);
        assertThat(difference(expected.get(0), Objects.requireNonNull(one.out())))
                .isLessThan(1e-4);
        assertThat(difference(expected.get(1), Objects.requireNonNull(two.out())))
                .isLessThan(1e-4);
    }

    @Test
    void run_inLanes_eachLearnsExactlyWhatItLearnsAlone() throws IOException {
        List<FineTune.Spec> specs = List.of(
                spec("lora", "lora", LORA, "'max_steps': 6"),
                spec("mixed", "mixlora", MIXLORA, "'max_steps': 3"),
                spec("dora", "lora", DORA, "'max_steps': 4"));
        List<Path> expected = alone(specs);
        List<JobGroup.Result> results = train(
                new JobGroup.Sharing(1024, 3),
                new JobGroup.Job("lora", specs.get(0), 0),
                new JobGroup.Job("mixed", specs.get(1), 2),
                new JobGroup.Job("dora", specs.get(2), 40));
        assertThat(results).allMatch(result -> result.failure() == null);
        for (int i = 0; i < specs.size(); i++) {
            assertThat(difference(
                            expected.get(i), Objects.requireNonNull(specs.get(i).out())))
                    .isZero();
        }
    }

    @Test
    void run_stoppedAndResumed_endsAsUninterrupted() throws IOException {
        FineTune.Spec one = spec("one", "lora", LORA, "'max_steps': 5");
        FineTune.Spec two = spec("two", "mixlora", MIXLORA, "'max_steps': 5");
        train(ONE_LANE, new JobGroup.Job("one", one, 0), new JobGroup.Job("two", two, 0));
        List<Path> expected = List.of(moved(one), moved(two));
        List<JobGroup> running = new ArrayList<>();
        TrainListener stopsAfterTwo = new TrainListener() {
            @Override
            public void step(Step step) {
                if (step.step() == 2) {
                    running.getFirst().stop();
                }
            }
        };
        List<JobGroup.Job> jobs = List.of(new JobGroup.Job("one", one, 0), new JobGroup.Job("two", two, 0));
        try (JobGroup group = JobGroup.prepare(jobs, ONE_LANE, ModelStore.standard(), _ -> stopsAfterTwo)) {
            running.add(group);
            assertThat(group.run())
                    .allMatch(result ->
                            result.outcome() != null && result.outcome().interrupted());
        }
        train(
                ONE_LANE,
                new JobGroup.Job("one", one.withResume(true), 0),
                new JobGroup.Job("two", two.withResume(true), 0));
        assertThat(difference(expected.get(0), Objects.requireNonNull(one.out())))
                .isZero();
        assertThat(difference(expected.get(1), Objects.requireNonNull(two.out())))
                .isZero();
    }

    @Test
    void prepare_wholeWeightsOrLabelsOrSameDirectory_areRefusedByName() throws IOException {
        FineTune.Spec lisa = spec("lisa", "lisa", "{}", "'max_steps': 1");
        assertThatThrownBy(() -> train(ONE_LANE, new JobGroup.Job("whole", lisa, 0)))
                .isInstanceOf(LoricaException.Unsupported.class)
                .hasMessageContainingAll("whole", "lisa");
        FineTune.Spec lora = spec("lora", "lora", LORA, "'max_steps': 1");
        assertThatThrownBy(() -> train(ONE_LANE, new JobGroup.Job("a", lora, 0), new JobGroup.Job("b", lora, 0)))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("write to");
    }
}
