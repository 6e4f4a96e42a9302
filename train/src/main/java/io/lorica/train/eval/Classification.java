package io.lorica.train.eval;

import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/** Measures of predictions against truth, over the items named by {@code items}. */
public final class Classification {
    private Classification() {}

    public static double accuracy(int[] truth, int[] predicted) {
        return accuracy(truth, predicted, all(truth.length));
    }

    static double accuracy(int[] truth, int[] predicted, int[] items) {
        return hits(truth, predicted, items) / (double) items.length;
    }

    static long hits(int[] truth, int[] predicted, int[] items) {
        return IntStream.of(items).filter(i -> truth[i] == predicted[i]).count();
    }

    /** {@code 2 tp / (2 tp + fp + fn)} of class 1; 0 when neither side has it. */
    public static double f1(int[] truth, int[] predicted) {
        return f1(truth, predicted, 1, all(truth.length));
    }

    /** The mean of {@link #f1} over the classes that occur on either side, each of equal weight. */
    public static double macroF1(int[] truth, int[] predicted) {
        return macroF1(truth, predicted, all(truth.length));
    }

    static double macroF1(int[] truth, int[] predicted, int[] items) {
        return IntStream.of(items)
                .flatMap(i -> IntStream.of(truth[i], predicted[i]))
                .distinct()
                .mapToDouble(label -> f1(truth, predicted, label, items))
                .average()
                .orElse(0);
    }

    static double f1(int[] truth, int[] predicted, int label, int[] items) {
        long hits = IntStream.of(items)
                .filter(i -> truth[i] == label && predicted[i] == label)
                .count();
        long sides = IntStream.of(items).filter(i -> truth[i] == label).count()
                + IntStream.of(items).filter(i -> predicted[i] == label).count();
        return sides == 0 ? 0 : 2.0 * hits / sides;
    }

    /**
     * Matthews' correlation, for any number of classes (Gorodkin 2004, {@code R_K}): with {@code c} right ones among
     * {@code s} items and {@code t_k}, {@code p_k} items of class {@code k} in truth and prediction,
     * {@code (c s - sum_k p_k t_k) / sqrt((s^2 - sum_k p_k^2) (s^2 - sum_k t_k^2))}; 0 when one side is constant. For two
     * classes this is Pearson's of the 0/1 vectors.
     */
    public static double matthews(int[] truth, int[] predicted) {
        return matthews(truth, predicted, all(truth.length));
    }

    static double matthews(int[] truth, int[] predicted, int[] items) {
        int classes = IntStream.of(items)
                .map(i -> Math.max(truth[i], predicted[i]) + 1)
                .max()
                .orElse(0);
        double[] t = new double[classes];
        double[] p = new double[classes];
        for (int i : items) {
            t[truth[i]]++;
            p[predicted[i]]++;
        }
        double s = items.length;
        double truthSpread = s * s - dot(t, t);
        double predictedSpread = s * s - dot(p, p);
        return truthSpread == 0 || predictedSpread == 0
                ? 0
                : (hits(truth, predicted, items) * s - dot(t, p)) / Math.sqrt(truthSpread * predictedSpread);
    }

    private static double dot(double[] x, double[] y) {
        return IntStream.range(0, x.length).mapToDouble(i -> x[i] * y[i]).sum();
    }

    /** Pearson's correlation; 0 when one side is constant. */
    public static double pearson(double[] x, double[] y) {
        double meanX = Arrays.stream(x).average().orElse(0);
        double meanY = Arrays.stream(y).average().orElse(0);
        double xy = 0;
        double xx = 0;
        double yy = 0;
        for (int i = 0; i < x.length; i++) {
            xy += (x[i] - meanX) * (y[i] - meanY);
            xx += (x[i] - meanX) * (x[i] - meanX);
            yy += (y[i] - meanY) * (y[i] - meanY);
        }
        return xx == 0 || yy == 0 ? 0 : xy / Math.sqrt(xx * yy);
    }

    /** Spearman's correlation: Pearson's of the ranks, ties sharing their mean rank. */
    public static double spearman(double[] x, double[] y) {
        return pearson(ranks(x), ranks(y));
    }

    private static double[] ranks(double[] values) {
        int[] order = IntStream.range(0, values.length)
                .boxed()
                .sorted(Comparator.comparingDouble(i -> values[i]))
                .mapToInt(Integer::intValue)
                .toArray();
        double[] ranks = new double[values.length];
        for (int from = 0; from < order.length; ) {
            int to = from;
            while (to < order.length && values[order[to]] == values[order[from]]) {
                to++;
            }
            for (int i = from; i < to; i++) {
                ranks[order[i]] = (from + to + 1) / 2.0;
            }
            from = to;
        }
        return ranks;
    }

    private static int[] all(int count) {
        return IntStream.range(0, count).toArray();
    }
}
