package io.lorica.model;

import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Seed;
import java.util.Arrays;
import java.util.BitSet;
import java.util.SplittableRandom;

/** Chooses tokens of one sequence from its logits by the rules of {@link Sampling}. */
final class Sampler {
    private final Sampling sampling;
    private final SplittableRandom random;
    private final BitSet seen = new BitSet();

    /** @param sequence which of several sequences: each draws its own numbers */
    Sampler(Sampling sampling, long[] prompt, int sequence) {
        this.sampling = sampling;
        random = new SplittableRandom(
                new Seed(sampling.seed()).of("sampling").of(sequence).value());
        for (long id : prompt) {
            seen.set((int) id);
        }
    }

    /** @param logits {@code [vocab]}, overwritten */
    int next(float[] logits) {
        penalize(logits);
        int best = best(logits);
        int chosen = sampling.temperature() == 0 ? best : draw(distribution(logits, logits[best]));
        seen.set(chosen);
        return chosen;
    }

    private void penalize(float[] logits) {
        float penalty = (float) sampling.repetitionPenalty();
        if (penalty == 1) {
            return;
        }
        seen.stream().forEach(id -> logits[id] = logits[id] < 0 ? logits[id] * penalty : logits[id] / penalty);
    }

    /** The first of the largest. */
    private static int best(float[] logits) {
        int best = 0;
        for (int i = 0; i < logits.length; i++) {
            if (Float.isNaN(logits[i])) {
                throw new LoricaException.Diverged(
                        "the logit of token " + i
                                + " is not a number: the weights or the adapter are damaged, or training left the finite numbers");
            }
            best = logits[i] > logits[best] ? i : best;
        }
        return best;
    }

    /** Weights in proportion to the probabilities; 0 for tokens that may not be drawn. */
    double[] distribution(float[] logits, float max) {
        double[] weights = new double[logits.length];
        for (int i = 0; i < weights.length; i++) {
            weights[i] = logits[i] == max ? 1 : Math.exp((logits[i] - (double) max) / sampling.temperature());
        }
        if (sampling.topK() > 0 && sampling.topK() < weights.length) {
            dropBelow(weights, kthLargest(logits, max));
        }
        if (sampling.topP() < 1) {
            keepMass(weights);
        }
        dropBelow(weights, sampling.minP()); // the most likely token has weight 1
        return weights;
    }

    private double kthLargest(float[] logits, float max) {
        float[] sorted = logits.clone();
        Arrays.sort(sorted);
        double kth = sorted[sorted.length - sampling.topK()];
        return Math.exp((kth - max) / sampling.temperature());
    }

    private static void dropBelow(double[] weights, double threshold) {
        for (int i = 0; i < weights.length; i++) {
            weights[i] = weights[i] < threshold ? 0 : weights[i];
        }
    }

    private void keepMass(double[] weights) {
        double total = Arrays.stream(weights).sum();
        // All tokens lighter than this weigh less than 1 - p together, so the smallest set has none of them.
        double light = (1 - sampling.topP()) * total / weights.length;
        double[] sorted =
                Arrays.stream(weights).filter(w -> w >= light).sorted().toArray();
        double mass = 0;
        int next = sorted.length;
        while (next > 0 && mass < sampling.topP() * total) {
            mass += sorted[--next];
        }
        double least = sorted[next];
        int equal = 0; // how many of the least weight fit in
        for (int i = next; i < sorted.length && sorted[i] == least; i++) {
            equal++;
        }
        for (int i = 0; i < weights.length; i++) {
            boolean kept = weights[i] > least || (weights[i] == least && equal-- > 0);
            weights[i] = kept ? weights[i] : 0;
        }
    }

    private int draw(double[] weights) {
        double point = random.nextDouble() * Arrays.stream(weights).sum();
        int last = 0;
        for (int i = 0; i < weights.length; i++) {
            if (weights[i] > 0) {
                last = i;
                point -= weights[i];
                if (point < 0) {
                    return i;
                }
            }
        }
        return last; // rounding left a crumb
    }
}
