package io.lorica.model;

import java.util.List;
import org.bytedeco.pytorch.Tensor;

/** A transformer over the patches of images, whose states are read at any depth. */
public interface VisionEncoder extends ImageModel {

    int layers();

    /** Width of its hidden states. */
    int width();

    /** Heads of its attention. */
    int heads();

    /** Probability with which an attention weight is dropped in training. */
    double attentionDropout();

    /** Tokens of one image, the class token before the patches included. */
    int tokens();

    /**
     * The states {@code h_0} (what enters the first layer) to {@code h_last} (what leaves layer {@code last}).
     *
     * @param pixels {@code [images, channels, size, size]}
     * @param last from 0 to {@link #layers()}; later layers are not computed
     * @return {@code last + 1} tensors {@code [images, tokens, width]}, owned by the caller's innermost scope
     */
    List<Tensor> hiddenStates(Tensor pixels, int last, Pass pass);
}
