package io.lorica.train.analyze;

import org.bytedeco.pytorch.Tensor;

/** The loss behind an attention head, by its gradient at the head's output. */
@FunctionalInterface
public interface Upstream {

    /**
     * Gradient {@code E = dL/dO} at some rows.
     *
     * @param output these rows of {@code O}: {@code [n, d_v]}
     * @param from the first row's number
     * @return {@code [n, d_v]}
     */
    Tensor gradient(Tensor output, long from);

    /** A gradient that is known, of any loss: {@code [L, d_v]}. */
    static Upstream of(Tensor gradient) {
        return (output, from) -> gradient.narrow(0, from, output.size(0));
    }

    /** {@code 1/2 ||O - Y||_F^2}, so {@code E = O - Y}, with the output that the caller computed. */
    static Upstream towards(Tensor target) {
        return (output, from) -> output.sub(target.narrow(0, from, output.size(0)));
    }
}
