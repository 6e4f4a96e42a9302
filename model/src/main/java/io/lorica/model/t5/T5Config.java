package io.lorica.model.t5;

import io.lorica.model.Activation;
import io.lorica.model.ModelConfig;
import io.lorica.tensor.LoricaException;

/**
 * Sizes of a T5 model, from {@code config.json}.
 *
 * @param headDim width of a head; {@code heads * headDim} need not be {@code hidden}
 * @param buckets rows of the relative positions' tables
 * @param maxDistance distances from here on share a row
 * @param gated whether the feed-forward block multiplies two maps (version 1.1)
 * @param scaled whether the decoder's output is multiplied by {@code 1 / sqrt(hidden)} before the head (version 1.0,
 *     whose head is the embedding)
 * @param dropout probability after embeddings, sublayers and on attention weights, in training
 */
record T5Config(
        int hidden,
        int headDim,
        int inner,
        int encoderLayers,
        int decoderLayers,
        int heads,
        int buckets,
        int maxDistance,
        double eps,
        boolean gated,
        Activation activation,
        int vocabSize,
        boolean scaled,
        int startToken,
        int endToken,
        double dropout) {
    private static final String GATED = "gated-";

    static T5Config from(ModelConfig config) {
        String kind = config.text("feed_forward_proj", "relu");
        boolean gated = kind.startsWith(GATED);
        int layers = config.integer("num_layers");
        T5Config read = new T5Config(
                config.integer("d_model"),
                config.integer("d_kv"),
                config.integer("d_ff"),
                layers,
                config.integer("num_decoder_layers", layers),
                config.integer("num_heads"),
                config.integer("relative_attention_num_buckets", 32),
                config.integer("relative_attention_max_distance", 128),
                config.number("layer_norm_epsilon", 1e-6),
                gated,
                activation(config, kind, gated),
                config.integer("vocab_size"),
                config.flag("scale_decoder_outputs", config.flag("tie_word_embeddings", true)),
                config.integer("decoder_start_token_id", config.integer("pad_token_id", 0)),
                config.integer("eos_token_id", 1),
                config.number("dropout_rate", 0.1));
        if (read.buckets < 4 || read.buckets % 4 != 0 || read.maxDistance <= read.buckets / 2) {
            throw new LoricaException.BadInput(config.where() + ": relative_attention_num_buckets " + read.buckets
                    + " must be a multiple of 4 and less than twice relative_attention_max_distance "
                    + read.maxDistance);
        }
        return read;
    }

    /** {@code gated-gelu} means the tanh form, whatever {@code gelu} means elsewhere. */
    private static Activation activation(ModelConfig config, String kind, boolean gated) {
        return kind.equals("gated-gelu")
                ? Activation.GELU_NEW
                : Activation.named(
                        gated ? kind.substring(GATED.length()) : kind, config.where() + ": feed_forward_proj");
    }
}
