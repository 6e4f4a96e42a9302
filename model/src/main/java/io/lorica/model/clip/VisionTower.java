package io.lorica.model.clip;

import io.lorica.model.Batch;
import io.lorica.model.BidirectionalAttention;
import io.lorica.model.Embedding;
import io.lorica.model.LayerNorm;
import io.lorica.model.Linear;
import io.lorica.model.ModelConfig;
import io.lorica.model.Pass;
import io.lorica.model.PatchEmbedding;
import io.lorica.model.PreNormBlock;
import io.lorica.model.Weights;
import io.lorica.tensor.Scope;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/**
 * CLIP's image tower, a vision transformer with a norm before the first layer: the features are the projection of the
 * class token after the last layer, normalised. The map of patches is a convolution and no site.
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
    private final Linear projection;

    VisionTower(ModelConfig whole, Weights weights) {
        ModelConfig source = TowerConfig.object(whole, "vision");
        TowerConfig config = TowerConfig.from(whole, source, 768);
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
        projection = weights.linear("visual_projection", config.projection(), config.hidden(), false);
    }

    int imageSize() {
        return imageSize;
    }

    int channels() {
        return channels;
    }

    Tensor features(Tensor pixels, Pass pass) {
        try (Scope scope = Scope.open()) {
            Batch batch = Batch.numbered(Math.toIntExact(pixels.size(0)), tokens);
            Tensor sequence = patches.forward(pixels).flatten(0, 1);
            Tensor hidden = before.forward(sequence.add(positions.forward(batch.positions(), pass)));
            for (PreNormBlock block : blocks) {
                hidden = block.forward(hidden, batch, pass);
            }
            Tensor pooled = after.forward(hidden.index_select(0, batch.firstTokens()));
            return scope.keep(projection.forward(pooled, pass));
        }
    }
}
