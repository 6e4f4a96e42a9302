package io.lorica.model;

import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * An image as a sequence (Dosovitskiy et al. 2021, equation 1): the map of each patch in reading order, and a learned
 * token before them.
 *
 * @param kernel {@code [width, channels, patch, patch]}
 * @param bias {@code [width]}, or null
 * @param first the learned token, {@code width} numbers in any shape
 * @param imageSize side of the image in pixels, a multiple of the patch's
 */
public record PatchEmbedding(Parameter kernel, @Nullable Parameter bias, Parameter first, int imageSize) {

    /** Tokens of one image, the learned one included. */
    public static int tokens(int imageSize, int patchSize) {
        int side = imageSize / patchSize;
        return side * side + 1;
    }

    /** Refuses sizes of a configuration that do not fit one another. */
    public static void require(ModelConfig config, int imageSize, int patchSize) {
        if (patchSize < 1 || imageSize < patchSize || imageSize % patchSize != 0) {
            throw new LoricaException.BadInput(
                    config.where() + ": image_size " + imageSize + " must be a multiple of patch_size " + patchSize);
        }
    }

    /**
     * @param pixels {@code [n, channels, imageSize, imageSize]}
     * @return {@code [n, tokens, width]}, owned by the caller's innermost scope
     */
    public Tensor forward(Tensor pixels) {
        Tensor weight = kernel.value();
        long patch = weight.size(2);
        long[] shape = Tensors.shape(pixels);
        if (shape.length != 4 || shape[1] != weight.size(1) || shape[2] != imageSize || shape[3] != imageSize) {
            throw new LoricaException.BadInput("pixels have shape " + Arrays.toString(shape)
                    + ", but the model takes [images, " + weight.size(1) + ", " + imageSize + ", " + imageSize + "]");
        }
        try (Scope scope = Scope.open()) {
            TensorOptional shift = bias == null ? new TensorOptional() : new TensorOptional(bias.value());
            Tensor map = torch.conv2d(
                    Tensors.to(pixels, DType.of(weight)),
                    weight,
                    shift,
                    new long[] {patch, patch},
                    new long[] {0, 0},
                    new long[] {1, 1},
                    1);
            Tensor patches = map.flatten(2, 3).transpose(1, 2);
            Tensor token = first.value().reshape(1, 1, -1).expand(shape[0], 1, weight.size(0));
            return scope.keep(torch.cat(new TensorVector(token, patches), 1));
        }
    }
}
