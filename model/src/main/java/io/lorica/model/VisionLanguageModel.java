package io.lorica.model;

import io.lorica.tensor.LoricaException;
import java.util.Arrays;
import java.util.stream.LongStream;

/**
 * A decoder that sees images: in the place of image tokens it reads the embeddings of {@link Batch#images()}, image after
 * image. A prompt's placeholder is one image token; {@link #expand} makes it as many as an image has embeddings.
 */
public interface VisionLanguageModel extends CausalModel, ImageModel {

    /** The id that stands for a piece of an image. */
    long imageToken();

    /** Embeddings of one image, those that an adapter adds included. */
    int tokensPerImage();

    /** What looks at the images. */
    VisionEncoder vision();

    /** Width of what becomes an embedding: the encoder's, as many times as states are read. */
    int featureWidth();

    /** Puts further tokens behind those of each image, from the next call on. */
    void attach(ImageTokens further);

    /** Lets images have their own tokens alone. */
    void detachImageTokens();

    /**
     * The prompt with each single image token repeated for all embeddings of its image.
     *
     * @param prompt with one image token for each image
     * @param images how many images the prompt comes with
     * @throws LoricaException.BadInput if the prompt has more or fewer placeholders than images
     */
    default long[] expand(long[] prompt, int images) {
        long placeholders =
                Arrays.stream(prompt).filter(id -> id == imageToken()).count();
        if (placeholders != images) {
            throw new LoricaException.BadInput("the prompt has " + placeholders + " image placeholders (token "
                    + imageToken() + ") for " + images + " images; write one where each image belongs");
        }
        return Arrays.stream(prompt)
                .flatMap(id -> LongStream.generate(() -> id).limit(id == imageToken() ? tokensPerImage() : 1))
                .toArray();
    }
}
