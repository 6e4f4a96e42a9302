package io.lorica.train.eval;

import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.ToDoubleFunction;

/**
 * An estimate with its 95 % interval.
 *
 * @param method how the interval was made: {@code wilson} for proportions, {@code student} for means over seeds,
 *     {@code bootstrap} for all else
 */
public record Interval(double value, double low, double high, String method) {
    private static final double Z = 1.959963984540054;
    private static final int RESAMPLES = 1000;
    private static final double[] STUDENT = {
        12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281
    };

    /** Wilson's score interval of a proportion (Wilson, 1927). */
    public static Interval wilson(long hits, long trials) {
        double p = (double) hits / trials;
        double z2 = Z * Z / trials;
        double centre = (p + z2 / 2) / (1 + z2);
        double half = Z * Math.sqrt(p * (1 - p) / trials + z2 / (4 * trials)) / (1 + z2);
        return new Interval(p, Math.max(0, centre - half), Math.min(1, centre + half), "wilson");
    }

    /** Mean of independent runs with Student's interval (Student, 1908); of one run, nothing is known of its spread. */
    public static Interval overSeeds(List<Double> values) {
        int n = values.size();
        double mean = values.stream().mapToDouble(Double::doubleValue).average().orElse(Double.NaN);
        if (n < 2) {
            return new Interval(mean, Double.NaN, Double.NaN, "student");
        }
        double squares = values.stream()
                .mapToDouble(value -> (value - mean) * (value - mean))
                .sum();
        double half = studentQuantile(n - 1) * Math.sqrt(squares / (n - 1) / n);
        return new Interval(mean, mean - half, mean + half, "student");
    }

    /** The 0.975 quantile; beyond the table by Fisher's expansion in {@code 1 / freedom}, good to three digits there. */
    private static double studentQuantile(int freedom) {
        return freedom <= STUDENT.length ? STUDENT[freedom - 1] : Z + (Math.pow(Z, 3) + Z) / (4.0 * freedom);
    }

    /** Percentile bootstrap over items, 1000 resamples with a fixed seed. */
    static Interval bootstrap(int items, ToDoubleFunction<int[]> statistic) {
        int[] all = java.util.stream.IntStream.range(0, items).toArray();
        SplittableRandom random = new SplittableRandom(20240607);
        double[] values = new double[RESAMPLES];
        for (int i = 0; i < RESAMPLES; i++) {
            values[i] = statistic.applyAsDouble(random.ints(items, 0, items).toArray());
        }
        Arrays.sort(values);
        return new Interval(
                statistic.applyAsDouble(all),
                values[RESAMPLES * 25 / 1000],
                values[RESAMPLES * 975 / 1000 - 1],
                "bootstrap");
    }
}
