package io.lorica.bench.serving;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.lorica.bench.serving.Workload.Arrival;
import io.lorica.bench.serving.Workload.Range;
import io.lorica.tensor.LoricaException;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class WorkloadTest {
    private static final int VOCABULARY = 1000;

    private static Workload workload(double alpha, double cv, long seed) {
        return new Workload(5, alpha, 100, cv, 200, new Range(8, 16), new Range(2, 5), seed);
    }

    @ParameterizedTest
    @ValueSource(doubles = {0.5, 1, 3})
    void arrivals_intervals_haveMeanAndVariation(double cv) {
        List<Arrival> arrivals = workload(1, cv, 3).arrivals(VOCABULARY);
        double[] intervals = IntStream.range(1, arrivals.size())
                .mapToDouble(i -> arrivals.get(i).at() - arrivals.get(i - 1).at())
                .toArray();
        double mean = java.util.Arrays.stream(intervals).average().orElseThrow();
        double variance = java.util.Arrays.stream(intervals)
                .map(each -> (each - mean) * (each - mean))
                .average()
                .orElseThrow();
        assertThat(mean).isEqualTo(0.01, within(0.001));
        assertThat(Math.sqrt(variance) / mean).isEqualTo(cv, within(0.08 * cv));
    }

    @ParameterizedTest
    @ValueSource(doubles = {0.2, 1})
    void arrivals_adapters_followThePowerLaw(double alpha) {
        List<Arrival> arrivals = workload(alpha, 1, 4).arrivals(VOCABULARY);
        for (int i = 0; i < 5; i++) {
            int adapter = i;
            double share = (double) arrivals.stream()
                            .filter(arrival -> arrival.adapter() == adapter)
                            .count()
                    / arrivals.size();
            double expected = Math.pow((i + 1) / 5.0, alpha) - Math.pow(i / 5.0, alpha);
            assertThat(share).isEqualTo(expected, within(0.01));
        }
    }

    @Test
    void arrivals_lengths_lieInTheirRanges() {
        List<Arrival> arrivals = workload(1, 1, 5).arrivals(VOCABULARY);
        assertThat(arrivals).allMatch(arrival -> arrival.prompt().length >= 8 && arrival.prompt().length < 16);
        assertThat(arrivals.stream().map(Arrival::maxTokens).distinct()).containsExactlyInAnyOrder(2, 3, 4);
    }

    @Test
    void arrivals_sameSeed_areTheSame() {
        List<Double> times =
                workload(1, 2, 6).arrivals(VOCABULARY).stream().map(Arrival::at).toList();
        assertThat(workload(1, 2, 6).arrivals(VOCABULARY).stream().map(Arrival::at))
                .containsExactlyElementsOf(times);
        assertThat(workload(1, 2, 7).arrivals(VOCABULARY).stream().map(Arrival::at))
                .isNotEqualTo(times);
    }

    @ParameterizedTest
    @ValueSource(strings = {"8", "8:8", "0:4", "a:b", "1:2:3"})
    void parse_noRange_isRefused(String text) {
        assertThatThrownBy(() -> Range.parse(text))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("LOW:HIGH");
    }
}
