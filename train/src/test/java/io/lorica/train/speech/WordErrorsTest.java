package io.lorica.train.speech;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class WordErrorsTest {

    @Test
    void between_equalLists_isNone() {
        assertThat(WordErrors.between(new int[] {3, 1, 4}, new int[] {3, 1, 4})).isZero();
    }

    @Test
    void between_oneLeftOutInTheMiddle_isOne() {
        assertThat(WordErrors.between(new int[] {3, 1, 4, 1}, new int[] {3, 4, 1}))
                .isOne();
    }

    @Test
    void between_oneExchangedAndOnePutIn_isTwo() {
        assertThat(WordErrors.between(new int[] {3, 1, 4}, new int[] {3, 2, 4, 4}))
                .isEqualTo(2);
    }

    @Test
    void between_nothingHeard_isEveryWord() {
        assertThat(WordErrors.between(new int[] {3, 1, 4}, new int[0])).isEqualTo(3);
    }
}
