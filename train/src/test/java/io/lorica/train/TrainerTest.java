package io.lorica.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.lorica.adapter.Trainable;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import io.lorica.tensor.Threads;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrainerTest {
    @TempDir
    Path directory;

    @BeforeEach
    void oneThread() {
        Threads.set(1);
    }

    /** What a run told, in order. */
    private static final class Heard implements TrainListener {
        final List<Step> steps = new ArrayList<>();
        final List<Double> heldOut = new ArrayList<>();
        final List<Path> saved = new ArrayList<>();

        @Override
        public void step(Step step) {
            steps.add(step);
        }

        @Override
        public void evaluated(long step, double loss) {
            heldOut.add(loss);
        }

        @Override
        public void saved(Path checkpoint) {
            saved.add(checkpoint);
        }
    }

    @Test
    void train_countingSequences_lowersTheHeldOutLoss() {
        try (TinyRun run = TinyRun.open()) {
            TrainConfig config =
                    TinyRun.config("{'learning_rate': 0.02, 'max_steps': 40, 'lr_scheduler_type': 'constant'}");
            Trainer.Outcome outcome = run.train(directory, config, false);
            assertThat(outcome.steps()).isEqualTo(40);
            assertThat(outcome.lossBefore()).isCloseTo(Math.log(64), within(0.2));
            assertThat(outcome.lossAfter()).isLessThan(0.95 * outcome.lossBefore());
        }
    }

    @Test
    void train_otherSplitOfTheStep_endsWithTheSameWeights() {
        try (TinyRun whole = TinyRun.open();
                TinyRun split = TinyRun.open()) {
            whole.train(
                    directory.resolve("a"),
                    TinyRun.config("{'per_device_train_batch_size': 8, 'max_steps': 5}"),
                    false);
            split.train(
                    directory.resolve("b"),
                    TinyRun.config(
                            "{'per_device_train_batch_size': 2, 'gradient_accumulation_steps': 4, 'max_steps': 5}"),
                    false);
            split.weights()
                    .forEach((name, values) -> assertThat(
                                    TinyRun.difference(values, whole.weights().get(name)))
                            .as(name)
                            .isLessThan(2e-5));
        }
    }

    @Test
    void train_steps_reportLossTokensAndRate() {
        Heard heard = new Heard();
        try (TinyRun run = TinyRun.open()) {
            run.train(
                    directory,
                    TinyRun.config("{'learning_rate': 0.1, 'warmup_steps': 2, 'max_steps': 4}"),
                    false,
                    heard);
        }
        assertThat(heard.steps).hasSize(4);
        assertThat(heard.steps).extracting(TrainListener.Step::learningRate).containsExactly(0.0, 0.05, 0.1, 0.05);
        assertThat(heard.steps).allMatch(step -> step.targets() > 0 && step.tokens() == step.targets() + 16);
        assertThat(heard.steps).allMatch(step -> step.gradientNorm() > 0 && step.seconds() > 0);
    }

    @Test
    void resume_afterStop_endsWithTheWeightsOfAnUninterruptedRun() {
        TrainConfig config = TinyRun.config("{'max_steps': 9, 'per_device_train_batch_size': 5, 'warmup_steps': 3,"
                + " 'learning_rate': 0.01, 'eval_steps': 2, 'early_stopping_patience': 3}");
        String dropout = TinyRun.ALL_LINEAR.replace("'r'", "'lora_dropout': 0.2, 'r'");
        try (TinyRun whole = TinyRun.open(DType.F32, dropout);
                TinyRun first = TinyRun.open(DType.F32, dropout);
                TinyRun second = TinyRun.open(DType.F32, dropout)) {
            Trainer.Outcome expected = whole.train(directory.resolve("whole"), config, false);
            AtomicReference<Runnable> stop = new AtomicReference<>(() -> {});
            Trainer trainer = new Trainer(first.trainee(), config, new TrainListener() {
                @Override
                public void step(Step step) {
                    if (step.step() == 4) {
                        Objects.requireNonNull(stop.get()).run();
                    }
                }
            });
            stop.set(trainer::stop);
            Path cut = directory.resolve("cut");
            Trainer.Outcome interrupted =
                    trainer.train(TinyRun.examples(24), TinyRun.examples(5), TinyRun.run(cut, false));
            assertThat(interrupted.interrupted()).isTrue();
            assertThat(cut.resolve("checkpoints/step-4/tensors.safetensors")).exists();

            Trainer.Outcome resumed = second.train(cut, config, true);
            assertThat(resumed.steps()).isEqualTo(9);
            assertThat(resumed.lossBefore()).isEqualTo(expected.lossBefore());
            assertThat(resumed.lossAfter()).isEqualTo(expected.lossAfter());
            second.weights()
                    .forEach((name, values) -> assertThat(values)
                            .as(name)
                            .isEqualTo(whole.weights().get(name)));
        }
    }

    @Test
    void resume_otherSettings_isRefusedWithWhatDiffers() {
        TrainConfig config = TinyRun.config("{'max_steps': 2, 'save_steps': 1}");
        try (TinyRun run = TinyRun.open()) {
            run.train(directory, config, false);
            Trainer.Run other = new Trainer.Run(directory, Map.of("data", "other rows"), true);
            assertThatThrownBy(() -> new Trainer(run.trainee(), config, TrainListener.SILENT)
                            .train(TinyRun.examples(24), List.of(), other))
                    .isInstanceOf(LoricaException.Incompatible.class)
                    .hasMessageContaining("data was tiny, is now other rows");
        }
    }

    @Test
    void train_directoryWithCheckpoints_isRefusedWithoutResume() {
        TrainConfig config = TinyRun.config("{'max_steps': 2, 'save_steps': 1}");
        try (TinyRun run = TinyRun.open()) {
            run.train(directory, config, false);
            assertThatThrownBy(() -> run.train(directory, config, false))
                    .isInstanceOf(LoricaException.BadInput.class)
                    .hasMessageContaining("step-2")
                    .hasMessageContaining("--resume");
        }
    }

    @Test
    void train_moreCheckpointsThanTheLimit_keepsTheNewest() throws Exception {
        try (TinyRun run = TinyRun.open()) {
            Heard heard = new Heard();
            run.train(directory, TinyRun.config("{'max_steps': 4, 'save_steps': 1}"), false, heard);
            assertThat(heard.saved).hasSize(4);
        }
        try (var files = Files.list(directory.resolve("checkpoints"))) {
            assertThat(files.map(file -> file.getFileName().toString())).containsExactlyInAnyOrder("step-3", "step-4");
        }
    }

    @Test
    void train_heldOutLossRises_stopsAndKeepsTheBest() {
        Heard heard = new Heard();
        try (TinyRun run = TinyRun.open()) {
            TrainConfig config = TinyRun.config("{'learning_rate': 0.3, 'max_steps': 200, 'eval_steps': 1,"
                    + " 'lr_scheduler_type': 'constant', 'early_stopping_patience': 3}");
            Trainer.Outcome outcome = run.train(directory, config, false, heard);
            assertThat(outcome.stoppedEarly()).isTrue();
            assertThat(outcome.steps()).isEqualTo(outcome.bestStep() + 3).isLessThan(200);
            double best = heard.heldOut.stream()
                    .skip(1)
                    .mapToDouble(Double::doubleValue)
                    .min()
                    .orElseThrow();
            assertThat(outcome.lossAfter()).isEqualTo(best);
            assertThat(new Evaluation(run.model(), 8).loss(TinyRun.examples(5))).isEqualTo(best);
        }
    }

    @Test
    void train_earlyStoppingWithoutHeldOutData_isRefused() {
        TrainConfig config = TinyRun.config("{'eval_steps': 1, 'early_stopping_patience': 3}");
        try (TinyRun run = TinyRun.open()) {
            assertThatThrownBy(() -> new Trainer(run.trainee(), config, TrainListener.SILENT)
                            .train(TinyRun.examples(24), List.of(), TinyRun.run(directory, false)))
                    .isInstanceOf(LoricaException.BadInput.class)
                    .hasMessageContaining("early_stopping_patience");
        }
    }

    @Test
    void train_weightsThatAreNotFinite_divergesNamingTheStepAndKeepsTheCheckpoint() {
        TrainConfig config = TinyRun.config("{'learning_rate': 0.01, 'max_steps': 9, 'save_steps': 2}");
        try (TinyRun run = TinyRun.open()) {
            TrainListener poison = new TrainListener() {
                @Override
                public void step(Step step) {
                    if (step.step() == 3) {
                        Trainable first = run.trainee().trainables().getFirst();
                        try (var _ = Scope.open();
                                var _ = Grad.disabled()) {
                            first.tensor().copy_(Tensors.of(new float[] {Float.NaN}, 1));
                        }
                    }
                }
            };
            assertThatThrownBy(() -> run.train(directory, config, false, poison))
                    .isInstanceOf(LoricaException.Diverged.class)
                    .hasMessageContaining("step 4");
            assertThat(directory.resolve("checkpoints/step-2/state.json")).exists();
        }
    }

    @Test
    void train_loraPlus_movesBByTheRatio() {
        String settings = "{'learning_rate': 0.001, 'max_steps': 1, 'lr_scheduler_type': 'constant'%s}";
        try (TinyRun plain = TinyRun.open();
                TinyRun plus = TinyRun.open()) {
            plain.train(directory.resolve("a"), TinyRun.config(settings.formatted("")), false);
            plus.train(directory.resolve("b"), TinyRun.config(settings.formatted(", 'loraplus_lr_ratio': 16")), false);
            plain.weights().forEach((name, values) -> {
                double ratio = name.contains("lora_B") ? 16 : 1;
                float[] other = Objects.requireNonNull(plus.weights().get(name));
                for (int i = 0; i < values.length; i++) {
                    assertThat((double) other[i]).as(name).isCloseTo(ratio * values[i], within(1e-6));
                }
            });
        }
    }

    @Test
    void train_wholeModel_lowersTheLoss() {
        try (var model = TinyRun.model(DType.F32);
                FullTrainee trainee = new FullTrainee(model, DType.F32)) {
            TrainConfig config = TinyRun.config("{'learning_rate': 0.01, 'max_steps': 30}");
            Trainer.Outcome outcome = new Trainer(trainee, config, TrainListener.SILENT)
                    .train(TinyRun.examples(24), TinyRun.examples(5), TinyRun.run(directory, false));
            assertThat(outcome.lossAfter()).isLessThan(0.7 * outcome.lossBefore());
        }
    }
}
