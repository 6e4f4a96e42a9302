package io.lorica.train.eval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.lorica.model.CausalModel;
import io.lorica.model.ModelStore;
import io.lorica.model.Pretrained;
import io.lorica.tensor.DType;
import io.lorica.train.data.Example;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Against sums that transformers 5.23 computed on the model fixture {@code smollm2} in float32. */
class TargetScoresTest {
    @SuppressWarnings("NullAway.Init")
    private static Pretrained base;

    private static final Example SHORT = example(5, 7, 4, 11, 11, 14, 28);
    private static final Example LONGER = example(5, 7, 4, 11, 11, 14, 26, 1, 2);
    private static final Example PAIR = example(1, 3, 60);
    private static final Example COUNT =
            example(1, LongStream.rangeClosed(1, 40).toArray());
    private static final double[] EXPECTED = {-4.314763, -14.712123, -6.520660, -199.340910};

    @BeforeAll
    static void open() {
        Path fixture = Path.of("..", "model", "src", "test", "resources", "fixtures", "smollm2");
        base = ModelStore.standard().open(fixture.toString(), DType.F32);
    }

    @AfterAll
    static void close() {
        base.close();
    }

    private static Example example(int start, long... tokens) {
        boolean[] supervised = new boolean[tokens.length];
        Arrays.fill(supervised, start, tokens.length, true);
        return Example.ofTokens(tokens, supervised);
    }

    private static double[] sums(List<float[]> scores) {
        return scores.stream()
                .mapToDouble(targets -> {
                    double sum = 0;
                    for (float target : targets) {
                        sum += target;
                    }
                    return sum;
                })
                .toArray();
    }

    @Test
    void of_packedSequences_equalsTransformers() {
        CausalModel model = base.causal();
        assertThat(sums(TargetScores.of(model, List.of(SHORT, LONGER, PAIR, COUNT), _ -> {})))
                .containsExactly(EXPECTED, within(1e-3));
    }

    @Test
    void ofGroups_commonBeginning_equalsTransformers() {
        CausalModel model = base.causal();
        List<Integer> done = new ArrayList<>();
        List<float[]> scores =
                TargetScores.ofGroups(model, List.of(List.of(SHORT, LONGER), List.of(LONGER, SHORT)), done::add);
        assertThat(sums(scores))
                .containsExactly(new double[] {EXPECTED[0], EXPECTED[1], EXPECTED[1], EXPECTED[0]}, within(1e-4));
        assertThat(done).containsExactly(4);
    }

    @Test
    void ofGroups_noCommonBeginning_equalsTransformers() {
        assertThat(sums(TargetScores.ofGroups(base.causal(), List.of(List.of(SHORT, PAIR)), _ -> {})))
                .containsExactly(new double[] {EXPECTED[0], EXPECTED[2]}, within(1e-4));
    }

    @Test
    void scores_pastTheContext_loseTheBeginning() {
        long[] tokens = LongStream.range(0, 70).map(i -> 3 + i % 50).toArray();
        Example whole = example(68, tokens);
        Example cut = example(62, Arrays.copyOfRange(tokens, 6, 70));
        assertThat(base.causal().contextLength()).isEqualTo(64);
        assertThat(MultipleChoice.scores(base.causal(), List.of(List.of(whole)), _ -> {}))
                .isEqualTo(MultipleChoice.scores(base.causal(), List.of(List.of(cut)), _ -> {}));
    }
}
