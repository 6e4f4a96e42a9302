package io.lorica.adapter;

import java.util.Arrays;

/**
 * How one router used its experts.
 *
 * @param visits tokens that were sent to each expert
 * @param probabilities the router's probabilities of each, summed over tokens
 * @param choices experts per token, {@code K}, or the most where tokens differ
 */
public record ExpertUse(long tokens, long[] visits, double[] probabilities, int choices) {

    /** Both together. */
    public ExpertUse plus(ExpertUse other) {
        long[] both = visits.clone();
        double[] sums = probabilities.clone();
        for (int e = 0; e < both.length; e++) {
            both[e] += other.visits[e];
            sums[e] += other.probabilities[e];
        }
        return new ExpertUse(tokens + other.tokens, both, sums, choices);
    }

    /** Share of the visits that each expert had. */
    public double[] shares() {
        long total = Arrays.stream(visits).sum();
        return Arrays.stream(visits)
                .mapToDouble(count -> (double) count / Math.max(1, total))
                .toArray();
    }

    /** Entropy of {@link #shares()} over that of even use: 1 where all are used alike, 0 where one has every visit. */
    public double evenness() {
        if (visits.length == 1) {
            return 1;
        }
        double entropy = 0;
        for (double p : shares()) {
            entropy -= p > 0 ? p * Math.log(p) : 0;
        }
        return entropy / Math.log(visits.length);
    }
}
