package io.lorica.model;

import io.lorica.tensor.Seed;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * The facts of one forward call that overlays need, handed down explicitly: nothing about a call is global state.
 *
 * @param training whether dropout and the like are active
 * @param dropout the stream that dropout draws from; a pass that is computed again (gradient checkpointing) with an
 *     equal seed draws the same numbers
 */
public record Pass(boolean training, Seed dropout) {

    private static final Pass INFERENCE = new Pass(false, new Seed(0));

    public static Pass inference() {
        return INFERENCE;
    }

    public static Pass training(Seed dropout) {
        return new Pass(true, dropout);
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
        try (GeneratorOptional generator = dropout.of(stream).generator()) {
            Tensor keep = torch.empty_like(x.detach()).bernoulli_(1 - probability, generator);
            try (Scalar scale = new Scalar(1 - probability)) {
                return x.mul(keep.div_(scale));
            }
        }
    }
}
