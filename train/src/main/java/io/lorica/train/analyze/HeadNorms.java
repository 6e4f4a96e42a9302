package io.lorica.train.analyze;

/**
 * The sizes of one head's queries, keys and values on one sequence, after positions and biases, adapters included.
 *
 * @param layer number or module name of the layer
 * @param head number of the query head
 * @param length {@code L}, tokens of the sequence
 * @param width {@code d}, of queries, keys and values
 * @param gQ largest magnitude of an entry of {@code Q}
 * @param gK likewise of {@code K}
 * @param gV likewise of {@code V}
 * @param scoreBound {@code b = beta max_i ||Q_i|| max_j ||K_j||}, above every score's magnitude
 */
public record HeadNorms(
        String layer, int head, int length, int width, double gQ, double gK, double gV, double scoreBound) {

    /** Whether the norms allow an almost linear-time algorithm, going by one length. */
    public enum Verdict {
        /** {@code Gamma < sqrt(ln L)}. */
        BELOW,
        /** No algorithm that is right for all inputs of such norms is nearly linear, unless SETH fails. */
        ABOVE
    }

    /** {@code 1 / sqrt(d)}, by which every model family scales. */
    public double beta() {
        return 1 / Math.sqrt(width);
    }

    /**
     * {@code Gamma = max(sqrt(beta d) gQ, sqrt(beta d) gK, gV)}: for {@code beta = 1 / d} the plain largest entry of the
     * theorems, which {@code sqrt(beta d)} carries over to other scales, since then {@code |S| <= Gq Gk}.
     */
    public double gamma() {
        return Math.max(Math.sqrt(beta() * width) * Math.max(gQ, gK), gV);
    }

    /** {@code T = sqrt(ln L)}. */
    public double threshold() {
        return Math.sqrt(Math.log(length));
    }

    public double ratio() {
        return gamma() / threshold();
    }

    public Verdict verdict() {
        return ratio() < 1 ? Verdict.BELOW : Verdict.ABOVE;
    }
}
