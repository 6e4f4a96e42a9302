package io.lorica.model;

import io.lorica.tensor.Scope;
import org.bytedeco.pytorch.Tensor;

/** Two towers, one for images and one for texts, whose features live in one space (Radford et al. 2021, CLIP). */
public interface ImageTextModel extends ImageModel {

    /** {@code [images, channels, size, size]} to {@code [images, features]}, not normalised. */
    Tensor imageFeatures(Tensor pixels, Pass pass);

    /** One row per text, {@code [texts, features]}, not normalised. Each text ends in the tokenizer's end token. */
    Tensor textFeatures(Batch texts, Pass pass);

    /** {@code exp(logit_scale)}: the factor on cosines, as a number without dimensions that gradients flow into. */
    Tensor scale();

    int vocabularySize();

    /** The id that ends a text. */
    long endToken();

    /** Longest text that positions are defined for. */
    int contextLength();

    /** {@code scale() cos(image, text)}: {@code [images, texts]}, owned by the caller's innermost scope. */
    default Tensor logitsPerImage(Tensor pixels, Batch texts, Pass pass) {
        try (Scope scope = Scope.open()) {
            Tensor images = normalised(imageFeatures(pixels, pass));
            return scope.keep(
                    images.mul(scale()).mm(normalised(textFeatures(texts, pass)).t()));
        }
    }

    /** Rows divided by their Euclidean norm: {@code [n, features]}, owned by the caller's innermost scope. */
    static Tensor normalised(Tensor rows) {
        try (Scope scope = Scope.open()) {
            Tensor norm = rows.square().sum(new long[] {1}, true, null).sqrt();
            return scope.keep(rows.div(norm));
        }
    }
}
