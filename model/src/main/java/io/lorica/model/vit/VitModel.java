package io.lorica.model.vit;

import io.lorica.model.Batch;
import io.lorica.model.BidirectionalAttention;
import io.lorica.model.ImageClassifier;
import io.lorica.model.LayerNorm;
import io.lorica.model.Linear;
import io.lorica.model.LoadedModel;
import io.lorica.model.ModelConfig;
import io.lorica.model.Parameter;
import io.lorica.model.Pass;
import io.lorica.model.PatchEmbedding;
import io.lorica.model.PreNormBlock;
import io.lorica.model.Weights;
import io.lorica.tensor.Scope;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;

/**
 * A vision transformer with a linear head on the class token (Dosovitskiy et al., An Image is Worth 16x16 Words, 2021):
 *
 * <pre>
 * h = [class; E patch_1; …; E patch_n] + positions;  layers (see {@link PreNormBlock});  classifier(norm(h)[class])
 * </pre>
 *
 * <p>Sites have the names of the checkpoint ({@code vit.encoder.layer.0.attention.attention.query}), which are also the
 * modules' of transformers before version 5; the map of patches is a convolution and no site.
 */
final class VitModel extends LoadedModel implements ImageClassifier {
    private final VitConfig config;
    private final PatchEmbedding patches;
    private final Parameter positions;
    private final List<PreNormBlock> blocks;
    private final LayerNorm norm;
    private final Linear classifier;

    /** Builds the model; the caller finishes {@code weights}. */
    VitModel(ModelConfig source, VitConfig config, Weights weights) {
        super(source, weights);
        this.config = config;
        long hidden = config.hidden();
        String at = "vit.embeddings.";
        patches = new PatchEmbedding(
                weights.parameter(
                        at + "patch_embeddings.projection.weight",
                        hidden,
                        config.channels(),
                        config.patchSize(),
                        config.patchSize()),
                weights.parameter(at + "patch_embeddings.projection.bias", hidden),
                weights.parameter(at + "cls_token", 1, 1, hidden),
                config.imageSize());
        positions = weights.parameter(at + "position_embeddings", 1, config.tokens(), hidden);
        blocks = IntStream.range(0, config.layers())
                .mapToObj(layer -> block("vit.encoder.layer." + layer, weights))
                .toList();
        norm = LayerNorm.of(weights, "vit.layernorm", hidden, config.eps());
        classifier = weights.linear("classifier", config.labels(), hidden, true);
    }

    private PreNormBlock block(String name, Weights weights) {
        long hidden = config.hidden();
        String self = name + ".attention.attention";
        boolean bias = config.qkvBias();
        return new PreNormBlock(
                name,
                LayerNorm.of(weights, name + ".layernorm_before", hidden, config.eps()),
                weights.linear(self + ".query", hidden, hidden, bias),
                weights.linear(self + ".key", hidden, hidden, bias),
                weights.linear(self + ".value", hidden, hidden, bias),
                weights.linear(name + ".attention.output.dense", hidden, hidden, true),
                new BidirectionalAttention(self, config.heads(), config.headDim(), config.attentionDropout())::forward,
                LayerNorm.of(weights, name + ".layernorm_after", hidden, config.eps()),
                weights.linear(name + ".intermediate.dense", config.inner(), hidden, true),
                weights.linear(name + ".output.dense", hidden, config.inner(), true),
                config.activation(),
                config.hiddenDropout());
    }

    @Override
    public Tensor scores(Tensor pixels, Pass pass) {
        try (Scope scope = Scope.open()) {
            Batch batch = Batch.numbered(Math.toIntExact(pixels.size(0)), config.tokens());
            Tensor embedded = patches.forward(pixels).add(positions.value()).flatten(0, 1);
            Tensor hidden = pass.dropout(embedded, config.hiddenDropout(), "vit.embeddings");
            for (PreNormBlock block : blocks) {
                hidden = block.forward(hidden, batch, pass);
            }
            Tensor pooled = norm.forward(hidden.index_select(0, batch.firstTokens()));
            return scope.keep(classifier.forward(pooled, pass));
        }
    }

    @Override
    public int labels() {
        return config.labels();
    }

    @Override
    public int imageSize() {
        return config.imageSize();
    }

    @Override
    public int channels() {
        return config.channels();
    }

    @Override
    public String outputHead() {
        return classifier.name();
    }
}
