package io.lorica.train.analyze;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.lorica.tensor.LoricaException;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ExponentialTest {

    /** Known degrees for eps 1e-3 and 1e-6. */
    @ParameterizedTest
    @CsvSource({
        "0.25,4,6",
        "0.5,4,8",
        "1,6,10",
        "2,10,14",
        "4,18,22",
        "8,32,36",
    })
    void taylor_degree_isTheKnownOne(double bound, int coarse, int fine) {
        assertThat(Exponential.taylor(bound, 1e-3).degree()).isEqualTo(coarse);
        assertThat(Exponential.taylor(bound, 1e-6).degree()).isEqualTo(fine);
        assertThat(Exponential.taylorDegree(bound, 1e-6)).isEqualTo(fine);
    }

    @Property(tries = 200)
    void taylor_relativeError_staysBelowItsBound(
            @ForAll @DoubleRange(min = 0, max = 6) double bound, @ForAll @DoubleRange(min = -1, max = 1) double share) {
        Exponential p = Exponential.taylor(bound, 1e-4);
        double x = bound * share;
        assertThat(Math.abs(p.at(x) / Math.exp(x) - 1)).isLessThanOrEqualTo(p.error() + 1e-14);
    }

    @ParameterizedTest
    @CsvSource({"1", "4", "8"})
    void chebyshev_sameError_takesASmallerDegree(double bound) {
        Exponential p = Exponential.chebyshev(bound, 1e-3);
        assertThat(p.degree()).isLessThan(Exponential.taylorDegree(bound, 1e-3));
        for (double x = -bound; x <= bound; x += bound / 333) {
            assertThat(p.at(x) / Math.exp(x)).isCloseTo(1, within(1.1e-3));
        }
    }

    @Test
    void entryError_ofAKnownExample_isAboveTheMeasuredOne() {
        Exponential p = Exponential.taylorOfDegree(1.37, 4);
        assertThat(p.error()).isCloseTo(0.158, within(2e-3));
        assertThat(p.entryError()).isGreaterThan(0.12);
    }

    @Test
    void taylor_oddDegree_isRefused() {
        assertThatThrownBy(() -> Exponential.taylorOfDegree(1, 3))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("degree is 3")
                .hasMessageContaining("even");
    }

    @Test
    void taylor_hugeScores_areRefused() {
        assertThatThrownBy(() -> Exponential.taylor(1000, 1e-3))
                .isInstanceOf(LoricaException.Unsupported.class)
                .hasMessageContaining("1000");
    }
}
