package io.lorica.model.whisper;

import io.lorica.model.Activation;
import io.lorica.model.ModelConfig;
import io.lorica.tensor.LoricaException;

/** Sizes of the encoder, from {@code config.json} of transformers' {@code WhisperModel}. */
record WhisperConfig(
        int melBins,
        int width,
        int layers,
        int heads,
        int inner,
        int positions,
        Activation activation,
        double dropout) {

    static WhisperConfig from(ModelConfig config) {
        WhisperConfig sizes = new WhisperConfig(
                config.integer("num_mel_bins", 80),
                config.integer("d_model"),
                config.integer("encoder_layers"),
                config.integer("encoder_attention_heads"),
                config.integer("encoder_ffn_dim"),
                config.integer("max_source_positions", 1500),
                Activation.of(config, "activation_function", Activation.GELU),
                config.number("dropout", 0));
        if (sizes.heads < 1 || sizes.width % sizes.heads != 0) {
            throw new LoricaException.BadInput(config.where() + ": d_model " + sizes.width
                    + " must be a multiple of encoder_attention_heads " + sizes.heads);
        }
        return sizes;
    }
}
