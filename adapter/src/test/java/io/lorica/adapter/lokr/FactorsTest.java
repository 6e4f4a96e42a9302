package io.lorica.adapter.lokr;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FactorsTest {

    /** Expected values from peft.tuners.lokr.layer.factorization, PEFT 0.21.2. */
    @ParameterizedTest
    @CsvSource({
        "768, -1, 24, 32",
        "3072, -1, 48, 64",
        "127, -1, 1, 127",
        "256, -1, 16, 16",
        "128, 4, 4, 32",
        "12, 5, 3, 4",
        "48, 16, 16, 3",
        "576, 7, 6, 96",
        "1, -1, 1, 1",
        "127, 8, 1, 127"
    })
    void of_dimension_splitsAsPeftDoes(long dimension, int factor, long small, long large) {
        assertThat(Factors.of(dimension, factor)).isEqualTo(new Factors(small, large));
    }
}
