package io.lorica.model.video;

import io.lorica.model.Activation;
import io.lorica.model.Batch;
import io.lorica.model.BidirectionalAttention;
import io.lorica.model.Embedding;
import io.lorica.model.LayerNorm;
import io.lorica.model.Linear;
import io.lorica.model.LoadedModel;
import io.lorica.model.ModelConfig;
import io.lorica.model.Parameter;
import io.lorica.model.Pass;
import io.lorica.model.PatchEmbedding;
import io.lorica.model.PreNormBlock;
import io.lorica.model.VideoEncoder;
import io.lorica.model.Weights;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;

/**
 * A small encoder of films that stands in for AV-HuBERT, of which no weights are to be had here and whose front end is a deep
 * residual network over lips; what it lacks is all that AV-HuBERT learned from thousands of hours.
 *
 * <pre>
 * h_t = frame(gelu(patches(picture_t))) + positions_t     a map of each patch, then one of all patches together
 * states = norm(layers(h))                                see {@link PreNormBlock}
 * </pre>
 */
final class SmallVideoEncoder extends LoadedModel implements VideoEncoder {
    private static final double EPS = 1e-5;

    private final int imageSize;
    private final int patchSize;
    private final int width;
    private final int inner;
    private final int heads;
    private final int pictures;
    private final Parameter kernel;
    private final Parameter bias;
    private final Linear frame;
    private final Embedding positions;
    private final List<PreNormBlock> blocks;
    private final LayerNorm norm;

    /** Builds the encoder; the caller finishes {@code weights}. */
    SmallVideoEncoder(ModelConfig source, Weights weights) {
        super(source, weights);
        imageSize = source.integer("image_size");
        patchSize = source.integer("patch_size");
        PatchEmbedding.require(source, imageSize, patchSize);
        width = source.integer("hidden_size");
        inner = source.integer("intermediate_size");
        heads = source.integer("num_attention_heads");
        if (heads < 1 || width % heads != 0) {
            throw new LoricaException.BadInput(
                    source.where() + ": hidden_size " + width + " must be a multiple of num_attention_heads " + heads);
        }
        pictures = source.integer("max_position_embeddings");
        int filters = source.integer("num_filters");
        int side = imageSize / patchSize;
        kernel = weights.parameter("patches.weight", filters, 1, patchSize, patchSize);
        bias = weights.parameter("patches.bias", filters);
        frame = weights.linear("frame", width, (long) side * side * filters, true);
        positions = weights.embedding("embed_positions", pictures, width);
        blocks = IntStream.range(0, source.integer("num_hidden_layers"))
                .mapToObj(layer -> block("layers." + layer, weights))
                .toList();
        norm = LayerNorm.of(weights, "layer_norm", width, EPS);
    }

    private PreNormBlock block(String name, Weights weights) {
        String self = name + ".self_attn";
        return new PreNormBlock(
                name,
                LayerNorm.of(weights, self + "_layer_norm", width, EPS),
                weights.linear(self + ".q_proj", width, width, true),
                weights.linear(self + ".k_proj", width, width, true),
                weights.linear(self + ".v_proj", width, width, true),
                weights.linear(self + ".out_proj", width, width, true),
                new BidirectionalAttention(self, heads, width / heads, 0)::forward,
                LayerNorm.of(weights, name + ".final_layer_norm", width, EPS),
                weights.linear(name + ".fc1", inner, width, true),
                weights.linear(name + ".fc2", width, inner, true),
                Activation.GELU,
                0);
    }

    @Override
    public Tensor states(Tensor films, Pass pass) {
        long[] shape = Tensors.shape(films);
        if (shape.length != 4
                || shape[1] < 1
                || shape[1] > pictures
                || shape[2] != imageSize
                || shape[3] != imageSize) {
            throw new LoricaException.BadInput("films have shape " + Arrays.toString(shape)
                    + ", but the encoder takes [films, 1 to " + pictures + " pictures, " + imageSize + ", " + imageSize
                    + "]; scale the pictures, or cut the film");
        }
        try (Scope scope = Scope.open()) {
            Batch batch = Batch.numbered(Math.toIntExact(shape[0]), Math.toIntExact(shape[1]));
            Tensor single = Tensors.to(films, DType.of(kernel.value())).reshape(-1, 1, imageSize, imageSize);
            Tensor patches = torch.conv2d(
                    single,
                    kernel.value(),
                    new TensorOptional(bias.value()),
                    new long[] {patchSize, patchSize},
                    new long[] {0, 0},
                    new long[] {1, 1},
                    1);
            Tensor hidden = frame.forward(torch.gelu(patches).flatten(1, 3), pass)
                    .add(positions.forward(batch.positions(), pass));
            for (PreNormBlock block : blocks) {
                hidden = block.forward(hidden, batch, pass);
            }
            return scope.keep(norm.forward(hidden).view(shape[0], shape[1], width));
        }
    }

    @Override
    public int imageSize() {
        return imageSize;
    }

    @Override
    public int width() {
        return width;
    }

    @Override
    public int maxStates() {
        return pictures;
    }

    @Override
    public String outputHead() {
        return "";
    }
}
