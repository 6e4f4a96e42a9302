package io.lorica.train.analyze;

import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Seed;
import java.util.List;
import java.util.Set;

/**
 * What {@link GradientStudy} measures.
 *
 * @param width {@code d = d_v} of the head, at least 1; the rank is {@code C(d + g, g)}, so keep it small
 * @param beta scale of the scores, above 0
 * @param eps relative error of exp that is asked for, and of gradients that counts as reached; between 0 and 1
 * @param adapted which of {@code Q, K, V} have adapters: {@code Q, V} is the paper's partial, all three its full case
 * @param errorLength tokens at which errors are measured
 * @param lengths tokens at which time is measured, ascending
 * @param exactLimit longest exact run; above it errors are those of sampled queries
 * @param maxRank largest rank that is tried
 * @param chebyshev whether runs are timed with Chebyshev's polynomial instead of Taylor's
 */
public record GradientConfig(
        int width,
        double beta,
        double eps,
        Set<Operand> adapted,
        int errorLength,
        List<Integer> lengths,
        int exactLimit,
        int chunk,
        long maxRank,
        boolean chebyshev,
        Seed seed) {

    /** What a projection makes. */
    public enum Operand {
        Q,
        K,
        V
    }

    public GradientConfig {
        requireAtLeast(1, width, "width");
        requireAtLeast(1, chunk, "chunk");
        requireAtLeast(2, errorLength, "error length");
        lengths.forEach(length -> requireAtLeast(2, length, "length"));
        lengths = lengths.stream().sorted().toList();
        adapted = Set.copyOf(adapted);
        if (adapted.isEmpty()) {
            throw new LoricaException.BadInput("no operand has an adapter; name some of q, k, v");
        }
        if (!(beta > 0) || !(eps > 0 && eps < 1)) {
            throw new LoricaException.BadInput(
                    "beta is " + beta + " and eps " + eps + "; beta must be above 0, eps between 0 and 1");
        }
    }

    private static void requireAtLeast(int least, int value, String name) {
        if (value < least) {
            throw new LoricaException.BadInput(name + " is " + value + ", but must be at least " + least);
        }
    }
}
