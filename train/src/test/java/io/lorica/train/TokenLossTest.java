package io.lorica.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.lorica.model.Batch;
import io.lorica.model.Pass;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import io.lorica.train.data.Example;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

class TokenLossTest {

    /** Mean negative log-likelihood of the supervised tokens from all logits, in plain Java doubles. */
    private static double slowly(TinyRun run, List<Example> examples) {
        double sum = 0;
        long targets = 0;
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            MicroBatch micro = MicroBatch.of(examples);
            float[] logits = Tensors.floats(run.model().logits(micro.batch(), Pass.inference()));
            int vocabulary = run.model().vocabularySize();
            int at = 0;
            for (Example example : examples) {
                for (int i = 1; i < example.length(); i++) {
                    if (example.supervised()[i]) {
                        float[] row = Arrays.copyOfRange(logits, (at + i - 1) * vocabulary, (at + i) * vocabulary);
                        double all = 0;
                        for (float logit : row) {
                            all += Math.exp(logit);
                        }
                        sum += Math.log(all) - row[(int) example.tokens()[i]];
                        targets++;
                    }
                }
                at += example.length();
            }
        }
        return sum / targets;
    }

    @Test
    void backward_masksThatDiffer_equalsTheSumOverAllLogits() {
        List<Example> examples = TinyRun.examples(5);
        try (TinyRun run = TinyRun.open().shaken()) {
            long targets = examples.stream().mapToLong(Example::targets).sum();
            double loss = new GradientPass(run.model(), false).run(MicroBatch.of(examples), targets, Pass.inference());
            assertThat(loss).isCloseTo(slowly(run, examples), within(1e-6));
        }
    }

    @Test
    void backward_moreRowsThanAChunk_equalsTheSumOverAllLogits() {
        List<Example> examples = new ArrayList<>(TinyRun.examples(60));
        try (TinyRun run = TinyRun.open().shaken()) {
            long targets = examples.stream().mapToLong(Example::targets).sum();
            assertThat(targets).isGreaterThan(256);
            double loss = new GradientPass(run.model(), false).run(MicroBatch.of(examples), targets, Pass.inference());
            assertThat(loss).isCloseTo(slowly(run, examples), within(1e-6));
        }
    }

    @Test
    void backward_noTargets_isZeroAndLeavesNoGradient() {
        Example silent = Example.ofTokens(new long[] {4, 5, 6}, new boolean[3]);
        try (TinyRun run = TinyRun.open().shaken()) {
            double loss = new GradientPass(run.model(), true).run(MicroBatch.of(List.of(silent)), 1, Pass.inference());
            assertThat(loss).isZero();
            assertThat(run.gradients().values()).allMatch(values -> values.length == 0);
        }
    }

    @Test
    void evaluation_anyBatchSize_equalsTheSumOverAllLogits() {
        List<Example> examples = TinyRun.examples(7);
        try (TinyRun run = TinyRun.open().shaken()) {
            double expected = slowly(run, examples);
            assertThat(new Evaluation(run.model(), 2).loss(examples)).isCloseTo(expected, within(1e-6));
            assertThat(new Evaluation(run.model(), 7).loss(examples)).isCloseTo(expected, within(1e-6));
        }
    }

    @Test
    void backward_gradientAtHidden_equalsFiniteDifference() {
        List<Example> examples = TinyRun.examples(2);
        MicroBatch micro = MicroBatch.of(examples);
        try (TinyRun run = TinyRun.open();
                Scope _ = Scope.open()) {
            Batch batch = micro.batch();
            Tensor hidden = run.model().hidden(batch, Pass.inference()).detach();
            Tensor leaf = hidden.clone().requires_grad_(true);
            TokenLoss loss = new TokenLoss(run.model());
            loss.backward(leaf, batch, micro, 1, Pass.inference());
            int width = (int) hidden.size(1);
            int place = (int) micro.rows()[1] * width + 7;
            float[] values = Tensors.floats(hidden);
            double step = 0.05;
            values[place] += (float) step;
            double above = loss.sum(Tensors.of(values, hidden.size(0), width), batch, micro, Pass.inference());
            values[place] -= (float) (2 * step);
            double below = loss.sum(Tensors.of(values, hidden.size(0), width), batch, micro, Pass.inference());
            assertThat((double) Tensors.floats(leaf.grad())[place])
                    .isCloseTo((above - below) / (2 * step), within(1e-4));
        }
    }
}
