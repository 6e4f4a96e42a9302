package io.lorica.model.clip;

import io.lorica.model.Batch;
import io.lorica.model.BidirectionalAttention;
import io.lorica.model.Embedding;
import io.lorica.model.LayerNorm;
import io.lorica.model.ModelConfig;
import io.lorica.model.Pass;
import io.lorica.model.PatchEmbedding;
import io.lorica.model.PreNormBlock;
import io.lorica.model.Weights;
import io.lorica.tensor.Scope;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/**
 * CLIP's image tower, a vision transformer with a norm before the first layer. The map of patches is a convolution and no
 * site.
 */
final class VisionTower {
    private final int imageSize;
    private final int channels;
    private final int tokens;
    private final PatchEmbedding patches;
    private final Embedding positions;
    private final LayerNorm before;
    private final List<PreNormBlock> blocks;
    private final LayerNorm after;
    private final int width;
    private final int heads;
    private final double attentionDropout;

    /** @param source the tower's own object of the configuration */
    VisionTower(ModelConfig source, TowerConfig config, Weights weights) {
        width = config.hidden();
        heads = config.heads();
        attentionDropout = config.dropout();
        imageSize = source.integer("image_size", 224);
        channels = source.integer("num_channels", 3);
        int patch = source.integer("patch_size", 32);
        PatchEmbedding.require(source, imageSize, patch);
        tokens = PatchEmbedding.tokens(imageSize, patch);
        String at = "vision_model.embeddings.";
        patches = new PatchEmbedding(
                weights.parameter(at + "patch_embedding.weight", config.hidden(), channels, patch, patch),
                null,
                weights.parameter(at + "class_embedding", config.hidden()),
                imageSize);
        positions = weights.embedding(at + "position_embedding", tokens, config.hidden());
        before = LayerNorm.of(weights, "vision_model.pre_layrnorm", config.hidden(), config.eps());
        blocks = config.blocks(
                "vision_model",
                weights,
                name -> new BidirectionalAttention(name, config.heads(), config.headDim(), config.dropout())::forward);
        after = LayerNorm.of(weights, "vision_model.post_layernorm", config.hidden(), config.eps());
    }

    int imageSize() {
        return imageSize;
    }

    int tokens() {
        return tokens;
    }

    int channels() {
        return channels;
    }

    int width() {
        return width;
    }

    int heads() {
        return heads;
    }

    double attentionDropout() {
        return attentionDropout;
    }

    int layers() {
        return blocks.size();
    }

    /** The class token after the last layer, normalised: {@code [images, width]}. */
    Tensor pooled(Tensor pixels, Pass pass) {
        try (Scope scope = Scope.open()) {
            Batch batch = batch(pixels);
            Tensor hidden = embed(pixels, batch, pass);
            for (PreNormBlock block : blocks) {
                hidden = block.forward(hidden, batch, pass);
            }
            return scope.keep(after.forward(hidden.index_select(0, batch.firstTokens())));
        }
    }

    /** See {@link io.lorica.model.VisionEncoder#hiddenStates}. */
    List<Tensor> states(Tensor pixels, int last, Pass pass) {
        try (Scope scope = Scope.open()) {
            Batch batch = batch(pixels);
            List<Tensor> states = new ArrayList<>();
            states.add(embed(pixels, batch, pass));
            for (PreNormBlock block : blocks.subList(0, last)) {
                states.add(block.forward(states.getLast(), batch, pass));
            }
            return states.stream()
                    .map(state -> scope.keep(state.view(batch.size(), tokens, width)))
                    .toList();
        }
    }

    private Batch batch(Tensor pixels) {
        return Batch.numbered(Math.toIntExact(pixels.size(0)), tokens);
    }

    private Tensor embed(Tensor pixels, Batch batch, Pass pass) {
        Tensor sequence = patches.forward(pixels).flatten(0, 1);
        return before.forward(sequence.add(positions.forward(batch.positions(), pass)));
    }
}
