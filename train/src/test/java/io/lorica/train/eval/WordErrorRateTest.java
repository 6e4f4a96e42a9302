package io.lorica.train.eval;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class WordErrorRateTest {

    @Test
    void errors_equalLists_isNone() {
        assertThat(WordErrorRate.errors(List.of(3, 1, 4), List.of(3, 1, 4))).isZero();
    }

    @Test
    void errors_oneLeftOutInTheMiddle_isOne() {
        assertThat(WordErrorRate.errors(List.of(3, 1, 4, 1), List.of(3, 4, 1))).isOne();
    }

    @Test
    void errors_oneExchangedAndOnePutIn_isTwo() {
        assertThat(WordErrorRate.errors(List.of(3, 1, 4), List.of(3, 2, 4, 4))).isEqualTo(2);
    }

    @Test
    void errors_nothingHeard_isEveryWord() {
        assertThat(WordErrorRate.errors(List.of(3, 1, 4), List.of())).isEqualTo(3);
    }
}
