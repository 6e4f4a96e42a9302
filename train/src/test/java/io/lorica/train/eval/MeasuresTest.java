package io.lorica.train.eval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class MeasuresTest {
    private static final int[] TRUTH = {1, 1, 1, 0, 0, 0, 0, 1};
    private static final int[] PREDICTED = {1, 1, 0, 0, 0, 1, 0, 1};

    @Test
    void number_markedAnswer_winsOverLaterNumbers() {
        assertThat(Answers.number("2+2=4\n#### $1,200.0\n5")).contains("1200");
    }

    @Test
    void number_noMark_isTheLast() {
        assertThat(Answers.number("first 3, then 7.50.")).contains("7.5");
    }

    @Test
    void number_noNumber_isEmpty() {
        assertThat(Answers.number("none")).isEmpty();
    }

    @Test
    void f1_counts_areTakenOfClassOne() {
        assertThat(Classification.f1(TRUTH, PREDICTED)).isEqualTo(0.75); // tp 3, fp 1, fn 1
    }

    @Test
    void matthews_twoByTwo_isTheTextbookFormula() {
        // (3*3 - 1*1) / sqrt(4*4*4*4)
        assertThat(Classification.matthews(TRUTH, PREDICTED)).isEqualTo(0.5, within(1e-12));
    }

    @Test
    void spearman_monotoneWithTies_sharesRanks() {
        assertThat(Classification.spearman(new double[] {1, 2, 2, 9}, new double[] {0, 5, 5, 6}))
                .isEqualTo(1.0, within(1e-12));
    }

    @Test
    void wilson_halfOfHundred_isTheKnownInterval() {
        Interval interval = Interval.wilson(50, 100);

        assertThat(interval.low()).isEqualTo(0.4038, within(1e-4));
        assertThat(interval.high()).isEqualTo(0.5962, within(1e-4));
    }

    @Test
    void characters_choiceAfterASpace_countsCodePointsWithoutIt() {
        assertThat(MultipleChoice.characters(" né 🙂")).isEqualTo(4);
        assertThat(MultipleChoice.characters(" ")).isEqualTo(1);
    }
}
