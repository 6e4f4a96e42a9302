package io.lorica.model.gpt2;

import io.lorica.model.Activation;
import io.lorica.model.ModelConfig;
import io.lorica.tensor.LoricaException;

/**
 * Sizes of a GPT-2 model, from {@code config.json}.
 *
 * @param scaled whether scores are divided by {@code sqrt(headDim)}
 * @param scaledByLayer whether they are divided by the layer's number (from 1) as well
 * @param embeddingDropout probability after the embedding, in training
 * @param attentionDropout probability on attention weights, in training
 * @param residualDropout probability before each residual sum, in training
 */
record Gpt2Config(
        int hiddenSize,
        int innerSize,
        int layers,
        int heads,
        int vocabSize,
        int positions,
        double eps,
        Activation activation,
        boolean tied,
        boolean scaled,
        boolean scaledByLayer,
        double embeddingDropout,
        double attentionDropout,
        double residualDropout) {

    static Gpt2Config from(ModelConfig config) {
        int hidden = config.integer("n_embd", 768);
        int heads = config.integer("n_head", 12);
        if (heads == 0 || hidden % heads != 0) {
            throw new LoricaException.BadInput(
                    config.where() + ": n_embd " + hidden + " must be a multiple of n_head " + heads);
        }
        if (config.flag("add_cross_attention", false)) {
            throw new LoricaException.Unsupported(config.where()
                    + ": add_cross_attention is not supported; Lorica runs GPT-2 as a decoder by itself");
        }
        return new Gpt2Config(
                hidden,
                config.integer("n_inner", 4 * hidden),
                config.integer("n_layer", 12),
                heads,
                config.integer("vocab_size"),
                config.integer("n_positions", 1024),
                config.number("layer_norm_epsilon", 1e-5),
                Activation.of(config, "activation_function", Activation.GELU_NEW),
                config.flag("tie_word_embeddings", true),
                config.flag("scale_attn_weights", true),
                config.flag("scale_attn_by_inverse_layer_idx", false),
                config.number("embd_pdrop", 0.1),
                config.number("attn_pdrop", 0.1),
                config.number("resid_pdrop", 0.1));
    }

    int headDim() {
        return hiddenSize / heads;
    }
}
