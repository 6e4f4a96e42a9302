package io.lorica.train.analyze;

import org.jspecify.annotations.Nullable;

/**
 * What the norms say of one head over all sequences.
 *
 * @param worst the sequence with the largest {@link HeadNorms#ratio()}
 * @param base the same head on the same sequence without the adapter; null where there is none
 * @param below sequences below the threshold
 * @param sequences of how many
 * @param eps relative error that the polynomial in the place of exp may have
 */
public record HeadCheck(HeadNorms worst, @Nullable HeadNorms base, int below, int sequences, double eps) {

    /** What would cost less by the count of operations; nothing here was timed. */
    public enum Advice {
        APPROX,
        EXACT
    }

    /** {@code BELOW} where every sequence is. */
    public HeadNorms.Verdict verdict() {
        return worst.verdict();
    }

    /** Taylor degree that {@code b} and {@code eps} ask for. */
    public int degree() {
        return Exponential.taylorDegree(worst.scoreBound(), eps);
    }

    /** {@code k = C(d + g, g)}; may be infinite. */
    public double rank() {
        return MonomialFeatures.count(worst.width(), degree());
    }

    /** {@code 6 L^2 (d + d_v)}. */
    public double exactOperations() {
        return 6.0 * worst.length() * worst.length() * (2 * worst.width());
    }

    /** {@code 8 L k d d_v}. */
    public double approximateOperations() {
        return 8.0 * worst.length() * rank() * worst.width() * worst.width();
    }

    public Advice advice() {
        return approximateOperations() < exactOperations() ? Advice.APPROX : Advice.EXACT;
    }
}
