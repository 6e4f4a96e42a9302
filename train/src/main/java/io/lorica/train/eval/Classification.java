package io.lorica.train.eval;

import java.util.stream.IntStream;

/** Measures of predictions against truth, over the items named by {@code items}. */
public final class Classification {
    private Classification() {}

    public static double accuracy(int[] truth, int[] predicted) {
        return accuracy(truth, predicted, all(truth.length));
    }

    static double accuracy(int[] truth, int[] predicted, int[] items) {
        return IntStream.of(items).filter(i -> truth[i] == predicted[i]).count() / (double) items.length;
    }

    /** {@code 2 tp / (2 tp + fp + fn)} of class 1; 0 when neither side has it. */
    public static double f1(int[] truth, int[] predicted) {
        return f1(truth, predicted, all(truth.length));
    }

    static double f1(int[] truth, int[] predicted, int[] items) {
        long hits = IntStream.of(items)
                .filter(i -> truth[i] == 1 && predicted[i] == 1)
                .count();
        long sides = IntStream.of(items).filter(i -> truth[i] == 1).count()
                + IntStream.of(items).filter(i -> predicted[i] == 1).count();
        return sides == 0 ? 0 : 2.0 * hits / sides;
    }

    /** Matthews' correlation of two classes: Pearson's of the 0/1 vectors; 0 when one side is constant. */
    public static double matthews(int[] truth, int[] predicted) {
        return matthews(truth, predicted, all(truth.length));
    }

    static double matthews(int[] truth, int[] predicted, int[] items) {
        double[] x = IntStream.of(items).mapToDouble(i -> truth[i]).toArray();
        double[] y = IntStream.of(items).mapToDouble(i -> predicted[i]).toArray();
        return pearson(x, y);
    }

    /** Pearson's correlation; 0 when one side is constant. */
    public static double pearson(double[] x, double[] y) {
        double meanX = java.util.Arrays.stream(x).average().orElse(0);
        double meanY = java.util.Arrays.stream(y).average().orElse(0);
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
        double[] ranks = new double[values.length];
        for (int i = 0; i < values.length; i++) {
            int below = 0;
            int equal = 0;
            for (double other : values) {
                below += other < values[i] ? 1 : 0;
                equal += other == values[i] ? 1 : 0;
            }
            ranks[i] = below + (equal + 1) / 2.0;
        }
        return ranks;
    }

    private static int[] all(int count) {
        return IntStream.range(0, count).toArray();
    }
}
