package io.lorica.train.eval;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class ExactMatchTest {

    @Test
    void same_numbersWrittenDifferently_match() {
        assertThat(ExactMatch.same("so 1,200 in all\n#### 1200", "That makes $1,200.00"))
                .isTrue();
    }

    @Test
    void same_otherNumber_doesNotMatch() {
        assertThat(ExactMatch.same("#### 12", "12 and 3 make 15")).isFalse();
    }

    @Test
    void same_referenceWithoutNumber_comparesTheText() {
        assertThat(ExactMatch.same("true", " true\n")).isTrue();
        assertThat(ExactMatch.same("true", "true, I think")).isFalse();
    }
}
