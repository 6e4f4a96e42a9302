package io.lorica.train;

import static org.assertj.core.api.Assertions.assertThat;

import io.lorica.tensor.DType;
import io.lorica.tensor.Threads;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

/** What every method that changes the loop must do there: learn, and go on from a checkpoint as if never stopped. */
class TrainingRulesTest {

    /** A method with settings that make its rule act within nine steps. */
    record Case(String method, String settings) {
        @Override
        public String toString() {
            return method + " " + settings;
        }
    }

    private static final String FACTORS = "'r': 4, 'lora_alpha': 8, 'lora_dropout': 0.1";

    static final List<Case> CASES = List.of(
            new Case("lora+", FACTORS),
            new Case("ffa-lora", FACTORS),
            new Case("lora-fa", FACTORS),
            new Case("dylora", FACTORS),
            new Case("dylora", FACTORS + ", 'frozen': true, 'strict_update': true"),
            new Case("allora", "'r': 4"),
            new Case("allora", "'r': 4, 'apply_to': 'update'"),
            new Case("adalora", "'init_r': 4, 'target_r': 2, 'lora_alpha': 32, 'tinit': 1, 'tfinal': 2, 'deltaT': 2"),
            new Case("diffora", FACTORS + ", 'search_steps': 6, 'search_warmup': 2"),
            new Case("diffora", FACTORS + ", 'search_steps': 3, 'search_warmup': 1, 'share': 'kind_B'"),
            new Case("lisa", "'lisa_activated_layers': 1, 'lisa_interval_steps': 2"),
            new Case("lisa", "'lisa_activated_layers': 1, 'lisa_interval_steps': 2, 'state_policy': 'keep'"));

    @TempDir
    Path directory;

    @BeforeEach
    void oneThread() {
        Threads.set(1);
    }

    private static TinyRun open(Case method) {
        if (method.method().equals("lisa")) {
            return TinyRun.open(DType.F32, method.method(), "{" + method.settings() + "}");
        }
        return TinyRun.open(DType.F32, method.method(), "{'target_modules': 'all-linear', " + method.settings() + "}");
    }

    @ParameterizedTest
    @FieldSource("CASES")
    void train_countingSequences_lowersTheHeldOutLoss(Case method) {
        try (TinyRun run = open(method)) {
            Trainer.Outcome outcome =
                    run.train(directory, TinyRun.config("{'learning_rate': 0.02, 'max_steps': 40}"), false);
            assertThat(outcome.lossAfter()).isLessThan(0.97 * outcome.lossBefore());
        }
    }

    @ParameterizedTest
    @FieldSource("CASES")
    void resume_afterStop_endsWithTheWeightsOfAnUninterruptedRun(Case method) {
        TrainConfig config =
                TinyRun.config("{'max_steps': 9, 'per_device_train_batch_size': 5, 'learning_rate': 0.01}");
        try (TinyRun whole = open(method);
                TinyRun first = open(method);
                TinyRun second = open(method)) {
            whole.train(directory.resolve("whole"), config, false);
            Path stopped = directory.resolve("stopped");
            stopAfter(first, 5, stopped, config);
            Trainer.Outcome outcome = second.train(stopped, config, true);
            assertThat(outcome.steps()).isEqualTo(9);
            second.weights()
                    .forEach((name, values) -> assertThat(values)
                            .as(name)
                            .isEqualTo(whole.weights().get(name)));
        }
    }

    private static void stopAfter(TinyRun run, long steps, Path directory, TrainConfig config) {
        AtomicReference<Runnable> stop = new AtomicReference<>(() -> {});
        Trainer trainer = new Trainer(run.trainee(), config, new TrainListener() {
            @Override
            public void step(Step step) {
                if (step.step() == steps) {
                    Objects.requireNonNull(stop.get()).run();
                }
            }
        });
        stop.set(trainer::stop);
        Trainer.Outcome outcome =
                trainer.train(TinyRun.examples(24), TinyRun.examples(5), TinyRun.run(directory, false));
        assertThat(outcome.interrupted()).isTrue();
    }
}
