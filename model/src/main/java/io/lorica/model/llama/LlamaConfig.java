package io.lorica.model.llama;

import io.lorica.model.ModelConfig;
import io.lorica.tensor.LoricaException;

/**
 * Sizes of a Llama-architecture model, from {@code config.json}.
 *
 * @param window sliding attention window in tokens, 0 for none
 * @param attentionBias whether q, k, v carry a bias (Qwen2: always; Llama: {@code attention_bias})
 * @param outputBias whether o carries one
 */
public record LlamaConfig(
        int hiddenSize,
        int intermediateSize,
        int layers,
        int heads,
        int keyHeads,
        int headDim,
        int vocabSize,
        int maxPositions,
        double rmsNormEps,
        boolean tied,
        boolean attentionBias,
        boolean outputBias,
        boolean mlpBias,
        int window,
        Rotary rotary) {

    static LlamaConfig from(ModelConfig config) {
        int hidden = config.integer("hidden_size");
        int heads = config.integer("num_attention_heads");
        int keyHeads = config.integer("num_key_value_heads", heads);
        if (heads == 0 || keyHeads == 0 || heads % keyHeads != 0) {
            throw new LoricaException.BadInput(config.where() + ": num_attention_heads " + heads
                    + " must be a positive multiple of num_key_value_heads " + keyHeads);
        }
        int headDim = config.integer("head_dim", hidden / heads);
        String activation = config.text("hidden_act", "silu");
        if (!activation.equals("silu")) {
            throw new LoricaException.Unsupported(config.where() + ": hidden_act '" + activation
                    + "' is not supported for this family (only 'silu')");
        }
        boolean qwen = config.modelType().equals("qwen2");
        boolean bias = config.flag("attention_bias", qwen);
        int maxPositions = config.integer("max_position_embeddings", 2048);
        return new LlamaConfig(
                hidden,
                config.integer("intermediate_size"),
                config.integer("num_hidden_layers"),
                heads,
                keyHeads,
                headDim,
                config.integer("vocab_size"),
                maxPositions,
                config.number("rms_norm_eps", 1e-6),
                config.flag("tie_word_embeddings", false),
                bias,
                bias && !qwen,
                config.flag("mlp_bias", false),
                window(config, qwen),
                Rotary.from(config, headDim, maxPositions));
    }

    /** Mistral states its window; Qwen2 states one too but uses it only where {@code use_sliding_window} is set. */
    private static int window(ModelConfig config, boolean qwen) {
        if (qwen && !config.flag("use_sliding_window", false)) {
            return 0;
        }
        return config.modelType().equals("llama") ? 0 : config.integer("sliding_window", 0);
    }
}
