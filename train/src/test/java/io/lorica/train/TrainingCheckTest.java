package io.lorica.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.lorica.tensor.LoricaException;
import io.lorica.train.data.Example;
import java.util.List;
import org.junit.jupiter.api.Test;

class TrainingCheckTest {

    @Test
    void run_soundTrainer_agreesAndIsTheStepsLoss() {
        List<Example> examples = TinyRun.examples(6);
        try (TinyRun tiny = TinyRun.open().shaken()) {
            TrainingCheck check = TrainingCheck.run(tiny.trainee(), examples);

            assertThat(check.ok()).isTrue();
            assertThat(check.ways())
                    .extracting(TrainingCheck.Way::name)
                    .containsExactly("batch 6, packed", "batch 3 x 2", "batch 1 x 6", "mean over single examples");
            TrainingCheck.Way packed = check.ways().getFirst();
            assertThat(packed.norm()).isPositive();
            assertThat(packed.loss()).isCloseTo(new Evaluation(tiny.model(), 2).loss(examples), within(1e-5));
        }
    }

    @Test
    void run_done_leavesNoGradientBehind() {
        try (TinyRun tiny = TinyRun.open().shaken()) {
            TrainingCheck.run(tiny.trainee(), TinyRun.examples(3));

            assertThat(tiny.gradients().values()).allMatch(gradient -> gradient.length == 0);
        }
    }

    @Test
    void ok_lossOrNormBeyondTolerance_isFalse() {
        assertThat(check(2, 2.1, 1, 1).ok()).isFalse();
        assertThat(check(2, 2, 1, 1.1).ok()).isFalse();
        assertThat(check(Double.NaN, 2, 1, 1).ok()).isFalse();
        assertThat(check(2, Double.NaN, 1, 1).ok()).isFalse();
        assertThat(check(2, 2, 1, 1).ok()).isTrue();
    }

    private static TrainingCheck check(double packedLoss, double splitLoss, double packedNorm, double splitNorm) {
        return new TrainingCheck(
                9,
                List.of(
                        new TrainingCheck.Way("packed", packedLoss, packedNorm),
                        new TrainingCheck.Way("split", splitLoss, splitNorm)),
                1e-2);
    }

    @Test
    void run_noTargets_isRefused() {
        List<Example> silent = List.of(Example.ofTokens(new long[] {3, 4}, new boolean[2]));
        try (TinyRun tiny = TinyRun.open()) {
            assertThatThrownBy(() -> TrainingCheck.run(tiny.trainee(), silent))
                    .isInstanceOf(LoricaException.BadInput.class);
        }
    }
}
