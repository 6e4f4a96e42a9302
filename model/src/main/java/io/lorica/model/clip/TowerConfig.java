package io.lorica.model.clip;

import io.lorica.model.Activation;
import io.lorica.model.LayerNorm;
import io.lorica.model.ModelConfig;
import io.lorica.model.PreNormBlock;
import io.lorica.model.Weights;
import io.lorica.tensor.LoricaException;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Sizes that both towers have, from {@code text_config} or {@code vision_config}.
 *
 * @param projection width of the features, the same in both towers
 * @param dropout probability on attention weights, in training
 */
record TowerConfig(
        int hidden,
        int inner,
        int layers,
        int heads,
        int projection,
        double eps,
        Activation activation,
        double dropout) {

    /** A tower's object; the first checkpoints name it {@code …_config_dict}, which then counts. */
    static ModelConfig object(ModelConfig whole, String tower) {
        return whole.object(tower + "_config_dict")
                .or(() -> whole.object(tower + "_config"))
                .orElseThrow(() -> new LoricaException.BadInput(
                        whole.where() + ": key '" + tower + "_config' is missing; a CLIP model has two towers"));
    }

    /** @param hidden transformers' default width; the other defaults follow from it as there */
    static TowerConfig from(ModelConfig whole, ModelConfig tower, int hidden) {
        int width = tower.integer("hidden_size", hidden);
        int heads = tower.integer("num_attention_heads", hidden / 64);
        if (heads == 0 || width % heads != 0) {
            throw new LoricaException.BadInput(
                    tower.where() + ": hidden_size " + width + " must be a multiple of num_attention_heads " + heads);
        }
        return new TowerConfig(
                width,
                tower.integer("intermediate_size", 4 * hidden),
                tower.integer("num_hidden_layers", 12),
                heads,
                whole.integer("projection_dim", 512),
                tower.number("layer_norm_eps", 1e-5),
                Activation.of(tower, "hidden_act", Activation.QUICK_GELU),
                tower.number("attention_dropout", 0));
    }

    int headDim() {
        return hidden / heads;
    }

    /** The layers under {@code prefix.encoder.layers}. */
    List<PreNormBlock> blocks(String prefix, Weights weights, AttentionOf attention) {
        return IntStream.range(0, layers)
                .mapToObj(layer -> block(prefix + ".encoder.layers." + layer, weights, attention))
                .toList();
    }

    /** Makes a layer's attention from its name. */
    @FunctionalInterface
    interface AttentionOf {
        PreNormBlock.Attention named(String name);
    }

    private PreNormBlock block(String name, Weights weights, AttentionOf attention) {
        String self = name + ".self_attn.";
        return new PreNormBlock(
                name,
                LayerNorm.of(weights, name + ".layer_norm1", hidden, eps),
                weights.linear(self + "q_proj", hidden, hidden, true),
                weights.linear(self + "k_proj", hidden, hidden, true),
                weights.linear(self + "v_proj", hidden, hidden, true),
                weights.linear(self + "out_proj", hidden, hidden, true),
                attention.named(name + ".self_attn"),
                LayerNorm.of(weights, name + ".layer_norm2", hidden, eps),
                weights.linear(name + ".mlp.fc1", inner, hidden, true),
                weights.linear(name + ".mlp.fc2", hidden, inner, true),
                activation,
                0);
    }
}
