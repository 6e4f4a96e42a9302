package io.lorica.model;

/** A model that looks at images. Pixels are {@code [images, channels, size, size]}, normalised as it was trained. */
public interface ImageModel extends BaseModel {

    /** Side of the square images it takes, in pixels. */
    int imageSize();

    int channels();
}
