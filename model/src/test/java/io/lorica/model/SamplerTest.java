package io.lorica.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.lorica.tensor.LoricaException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import net.jqwik.api.constraints.FloatRange;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

class SamplerTest {
    private static final Sampling PLAIN = Sampling.greedy(1).withTemperature(1);

    @Property(tries = 300)
    void distribution_topP_keepsTheSmallestSetOfThatMass(
            @ForAll @Size(min = 1, max = 40) List<@FloatRange(min = -8, max = 8) Float> logits,
            @ForAll @DoubleRange(min = 0.01, max = 0.99) double p) {
        double[] probabilities = softmax(logits, 1);
        double[] kept = weights(logits, PLAIN.withTopP(p));
        double mass = 0;
        double least = Double.POSITIVE_INFINITY;
        for (int i = 0; i < kept.length; i++) {
            if (kept[i] > 0) {
                mass += probabilities[i];
                least = Math.min(least, probabilities[i]);
            }
        }
        assertThat(mass).isGreaterThanOrEqualTo(p - 1e-12);
        assertThat(mass - least).isLessThan(p + 1e-12);
        for (int i = 0; i < kept.length; i++) {
            assertThat(kept[i] > 0 || probabilities[i] <= least).isTrue();
        }
    }

    @Property(tries = 300)
    void distribution_topK_keepsTokensAsLikelyAsTheKth(
            @ForAll @Size(min = 1, max = 40) List<@FloatRange(min = -8, max = 8) Float> logits,
            @ForAll @IntRange(min = 1, max = 50) int k) {
        List<Float> sorted = logits.stream().sorted(Comparator.reverseOrder()).toList();
        float kth = sorted.get(Math.min(k, sorted.size()) - 1);
        assertThat(kept(logits, PLAIN.withTopK(k)))
                .isEqualTo(IntStream.range(0, logits.size())
                        .filter(i -> logits.get(i) >= kth)
                        .boxed()
                        .toList());
    }

    @Property(tries = 300)
    void distribution_minP_keepsTokensOfThatFractionOfTheBest(
            @ForAll @Size(min = 1, max = 40) List<@FloatRange(min = -8, max = 8) Float> logits,
            @ForAll @DoubleRange(min = 0.01, max = 1) double p) {
        double[] probabilities = softmax(logits, 1);
        double best = Arrays.stream(probabilities).max().orElseThrow();
        List<Integer> kept = kept(logits, PLAIN.withMinP(p));
        for (int i = 0; i < probabilities.length; i++) {
            double distance = probabilities[i] - p * best;
            if (Math.abs(distance) > 1e-9) { // on the border rounding decides
                assertThat(kept.contains(i)).isEqualTo(distance > 0);
            }
        }
    }

    @Property(tries = 200)
    void distribution_temperatureAlone_isTheSoftmax(
            @ForAll @Size(min = 1, max = 40) List<@FloatRange(min = -8, max = 8) Float> logits,
            @ForAll @DoubleRange(min = 0.1, max = 3) double temperature) {
        double[] expected = softmax(logits, temperature);
        double[] weights = weights(logits, PLAIN.withTemperature(temperature));
        double sum = Arrays.stream(weights).sum();
        for (int i = 0; i < weights.length; i++) {
            assertThat(weights[i] / sum).isCloseTo(expected[i], within(1e-9));
        }
    }

    @Test
    void distribution_topKThenTopP_measuresMassAmongTheKept() {
        // exp: 4, 3, 2, 1; of the first two, 4/7 alone is 0.57 of the mass, of all four only 0.4
        List<Float> logits = logs(4, 3, 2, 1);
        assertThat(kept(logits, PLAIN.withTopK(2).withTopP(0.5))).containsExactly(0);
        assertThat(kept(logits, PLAIN.withTopP(0.5))).containsExactly(0, 1);
    }

    @Test
    void distribution_temperatureBeforeMinP_flattensFirst() {
        List<Float> logits = logs(16, 1);
        assertThat(kept(logits, PLAIN.withMinP(0.2))).containsExactly(0);
        assertThat(kept(logits, PLAIN.withMinP(0.2).withTemperature(2))).containsExactly(0, 1);
    }

    @Test
    void next_repetitionPenalty_dividesPositiveAndMultipliesNegative() {
        float[] logits = {2, -1, 1.5f, -1.5f};
        new Sampler(Sampling.greedy(1).withRepetitionPenalty(2), new long[] {0, 1}, 0).next(logits);
        assertThat(logits).containsExactly(1, -2, 1.5f, -1.5f);
    }

    @Test
    void next_repetitionPenalty_countsItsOwnTokens() {
        Sampler sampler = new Sampler(Sampling.greedy(2).withRepetitionPenalty(2), new long[0], 0);
        assertThat(sampler.next(new float[] {2, 1.5f})).isEqualTo(0);
        assertThat(sampler.next(new float[] {2, 1.5f})).isEqualTo(1);
    }

    @Test
    void next_manyDraws_followTheProbabilities() {
        int[] counts = new int[3];
        Sampler sampler = new Sampler(PLAIN, new long[0], 0);
        for (int i = 0; i < 20_000; i++) {
            counts[sampler.next(new float[] {(float) Math.log(5), (float) Math.log(3), (float) Math.log(2)})]++;
        }
        assertThat(counts[0] / 20_000.0).isCloseTo(0.5, within(0.015));
        assertThat(counts[1] / 20_000.0).isCloseTo(0.3, within(0.015));
    }

    @Test
    void next_logitIsNotANumber_isRefused() {
        Sampler sampler = new Sampler(PLAIN, new long[0], 0);
        assertThatThrownBy(() -> sampler.next(new float[] {1, Float.NaN}))
                .isInstanceOf(LoricaException.Diverged.class)
                .hasMessageContaining("token 1");
    }

    @Test
    void sampling_severalWrongValues_namesAll() {
        assertThatThrownBy(() -> new Sampling(-1, -1, 0, 2, 0, 0, List.of(""), 0))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContainingAll(
                        "temperature",
                        "top_k",
                        "top_p",
                        "min_p",
                        "repetition_penalty",
                        "max_new_tokens",
                        "stop_strings");
    }

    private static double[] weights(List<Float> logits, Sampling sampling) {
        float[] array = new float[logits.size()];
        float max = Float.NEGATIVE_INFINITY;
        for (int i = 0; i < array.length; i++) {
            array[i] = logits.get(i);
            max = Math.max(max, array[i]);
        }
        return new Sampler(sampling, new long[0], 0).distribution(array, max);
    }

    private static List<Integer> kept(List<Float> logits, Sampling sampling) {
        double[] weights = weights(logits, sampling);
        return IntStream.range(0, weights.length)
                .filter(i -> weights[i] > 0)
                .boxed()
                .toList();
    }

    private static double[] softmax(List<Float> logits, double temperature) {
        double[] exp =
                logits.stream().mapToDouble(x -> Math.exp(x / temperature)).toArray();
        double sum = Arrays.stream(exp).sum();
        return Arrays.stream(exp).map(x -> x / sum).toArray();
    }

    private static List<Float> logs(double... weights) {
        List<Float> logits = new ArrayList<>();
        Arrays.stream(weights).forEach(w -> logits.add((float) Math.log(w)));
        return logits;
    }
}
