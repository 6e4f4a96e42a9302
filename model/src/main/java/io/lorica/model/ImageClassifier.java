package io.lorica.model;

import org.bytedeco.pytorch.Tensor;

/** A model that scores an image: one score per label, or a single one that is a regression's value. */
public interface ImageClassifier extends ImageModel {

    /** Number of scores; 1 means regression. */
    int labels();

    /**
     * @param pixels {@code [images, channels, size, size]}
     * @return {@code [images, labels]}, before any softmax, owned by the caller's innermost scope
     */
    Tensor scores(Tensor pixels, Pass pass);
}
