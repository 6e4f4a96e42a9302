package io.lorica.model;

import java.util.List;
import org.bytedeco.pytorch.Tensor;

/** Further tokens of each image, which an adapter reads from the vision encoder's states. The states stay as they are. */
public interface ImageTokens {

    /** How many an image gets. */
    int count();

    /** The deepest state that is read, as {@link VisionEncoder#hiddenStates} counts. */
    int last();

    /**
     * @param states at least {@code h_0} to {@code h_last}, {@code [images, tokens, width]} each
     * @return {@code [images, count, width]} in their dtype, owned by the caller's innermost scope
     */
    Tensor read(List<Tensor> states, Pass pass);
}
