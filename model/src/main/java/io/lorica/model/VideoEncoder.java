package io.lorica.model;

import org.bytedeco.pytorch.Tensor;

/** A transformer over the pictures of a film, 25 a second. */
public interface VideoEncoder extends BaseModel {

    /** Side of a picture in pixels; pictures are grey. */
    int imageSize();

    /** Width of its states. */
    int width();

    /** The most pictures it has positions for. */
    int maxStates();

    /**
     * One state a picture.
     *
     * @param pictures {@code [films, pictures, imageSize, imageSize]}
     * @return {@code [films, pictures, width]}, owned by the caller's innermost scope
     */
    Tensor states(Tensor pictures, Pass pass);
}
