package io.lorica.model;

import java.util.List;

/** Differences between arrays of the same length. */
public final class Distances {
    private Distances() {}

    /** The largest absolute difference. */
    public static double largest(float[] left, float[] right) {
        if (left.length != right.length) {
            throw new AssertionError(left.length + " numbers against " + right.length);
        }
        double largest = 0;
        for (int i = 0; i < left.length; i++) {
            double difference = Math.abs((double) left[i] - right[i]);
            largest = Double.isNaN(difference) ? Double.POSITIVE_INFINITY : Math.max(largest, difference);
        }
        return largest;
    }

    /** {@code |left - right| / |right|} in the Euclidean norm. */
    public static double relative(float[] left, float[] right) {
        double difference = 0;
        double size = 0;
        for (int i = 0; i < right.length; i++) {
            difference += Math.pow((double) left[i] - right[i], 2);
            size += Math.pow(right[i], 2);
        }
        return Math.sqrt(difference / size);
    }

    public static float[] joined(List<float[]> parts) {
        float[] all = new float[parts.stream().mapToInt(part -> part.length).sum()];
        int at = 0;
        for (float[] part : parts) {
            System.arraycopy(part, 0, all, at, part.length);
            at += part.length;
        }
        return all;
    }
}
