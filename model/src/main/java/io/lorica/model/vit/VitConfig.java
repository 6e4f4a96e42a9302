package io.lorica.model.vit;

import io.lorica.model.Activation;
import io.lorica.model.ModelConfig;
import io.lorica.model.PatchEmbedding;
import io.lorica.tensor.LoricaException;

/**
 * Sizes of a ViT classifier, from {@code config.json}.
 *
 * @param hiddenDropout probability after the embeddings and every sublayer, in training
 * @param attentionDropout probability on attention weights, in training
 */
record VitConfig(
        int hidden,
        int inner,
        int layers,
        int heads,
        int imageSize,
        int patchSize,
        int channels,
        boolean qkvBias,
        double eps,
        Activation activation,
        int labels,
        double hiddenDropout,
        double attentionDropout) {

    static VitConfig from(ModelConfig config) {
        int hidden = config.integer("hidden_size");
        int heads = config.integer("num_attention_heads");
        if (heads == 0 || hidden % heads != 0) {
            throw new LoricaException.BadInput(
                    config.where() + ": hidden_size " + hidden + " must be a multiple of num_attention_heads " + heads);
        }
        int imageSize = config.integer("image_size", 224);
        int patchSize = config.integer("patch_size", 16);
        PatchEmbedding.require(config, imageSize, patchSize);
        return new VitConfig(
                hidden,
                config.integer("intermediate_size"),
                config.integer("num_hidden_layers"),
                heads,
                imageSize,
                patchSize,
                config.integer("num_channels", 3),
                config.flag("qkv_bias", true),
                config.number("layer_norm_eps", 1e-12),
                Activation.of(config, "hidden_act", Activation.GELU),
                labels(config),
                config.number("hidden_dropout_prob", 0),
                config.number("attention_probs_dropout_prob", 0));
    }

    /** transformers writes {@code id2label} whenever there are not two labels. */
    private static int labels(ModelConfig config) {
        int labels = config.object("id2label").map(names -> names.json().size()).orElse(2);
        if (labels < 1) {
            throw new LoricaException.BadInput(config.where() + ": a classifier needs at least 1 label in id2label");
        }
        return labels;
    }

    int tokens() {
        return PatchEmbedding.tokens(imageSize, patchSize);
    }

    int headDim() {
        return hidden / heads;
    }
}
