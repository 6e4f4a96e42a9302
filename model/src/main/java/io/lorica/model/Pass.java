package io.lorica.model;

import io.lorica.tensor.Seed;
import io.lorica.tensor.fused.DropoutOp;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The facts of one forward call that overlays need, handed down explicitly: nothing about a call is global state.
 *
 * @param training whether dropout and the like are active
 * @param dropout the stream that dropout draws from; a pass that is computed again (gradient checkpointing) with an
 *     equal seed draws the same numbers
 * @param facts what whoever attached the overlays tells them about this call; null where there is nothing to tell
 * @param visual which rows are tokens of images, in a model's blocks; null where none is
 * @param rates at which recordings are compressed that the call reads; null where it reads none
 * @param known frozen products that were computed before, with other rows; null where there are none
 */
public record Pass(
        boolean training,
        Seed dropout,
        @Nullable Facts facts,
        @Nullable VisualRows visual,
        @Nullable Rates rates,
        @Nullable Known known) {

    /** What overlays of one kind need to know about a call, for example which rows belong to which adapter. */
    public interface Facts {}

    /** Frozen products of the rows of a call. */
    public interface Known {
        /** {@code x W^T + b} of a site, where it is known for this very input; else null. */
        @Nullable
        Tensor product(Linear site, Tensor x);
    }

    private static final Pass INFERENCE = new Pass(false, new Seed(0), null, null, null, null);

    public static Pass inference() {
        return INFERENCE;
    }

    public static Pass training(Seed dropout) {
        return new Pass(true, dropout, null, null, null, null);
    }

    /** The same call, with facts for its overlays. */
    public Pass with(Facts value) {
        return new Pass(training, dropout, value, visual, rates, known);
    }

    /** The same call, whose rows are of images and of language. */
    public Pass seeing(@Nullable VisualRows rows) {
        return new Pass(training, dropout, facts, rows, rates, known);
    }

    /** The same call, which reads recordings at these rates. */
    public Pass at(Rates scale) {
        return new Pass(training, dropout, facts, visual, scale, known);
    }

    /** The same call, of which some products are known. */
    public Pass knowing(Known products) {
        return new Pass(training, dropout, facts, visual, rates, products);
    }

    /**
     * Inverted dropout of {@code x}: zero with {@code probability}, else {@code x / (1 - probability)}. The identity
     * outside training.
     *
     * @param stream who draws, for example the site's name
     */
    public Tensor dropout(Tensor x, double probability, String stream) {
        if (!training || probability == 0) {
            return x;
        }
        return DropoutOp.apply(x, probability, dropout.of(stream));
    }
}
