package io.lorica.model.bert;

import io.lorica.model.Activation;
import io.lorica.model.ModelConfig;
import io.lorica.tensor.LoricaException;
import java.util.OptionalInt;

/**
 * Sizes of a BERT or RoBERTa model, from {@code config.json}.
 *
 * @param prefix of the encoder's modules: empty when the model is the bare encoder
 * @param firstPosition row of the position table for a sequence's first token; RoBERTa leaves out its rows up to the
 *     padding token's id
 * @param segments number of token types
 * @param labels scores of the classification head, 0 for none
 * @param hiddenDropout probability after every sublayer, in training
 * @param attentionDropout probability on attention weights, in training
 * @param classifierDropout probability before the head, in training
 */
record BertConfig(
        boolean roberta,
        String prefix,
        int hiddenSize,
        int innerSize,
        int layers,
        int heads,
        int vocabSize,
        int positions,
        int firstPosition,
        int segments,
        double eps,
        Activation activation,
        int labels,
        double hiddenDropout,
        double attentionDropout,
        double classifierDropout) {

    static BertConfig from(ModelConfig config) {
        refuseUnsupported(config);
        boolean roberta = config.modelType().equals("roberta");
        int hidden = config.integer("hidden_size");
        int heads = config.integer("num_attention_heads");
        if (heads == 0 || hidden % heads != 0) {
            throw new LoricaException.BadInput(
                    config.where() + ": hidden_size " + hidden + " must be a multiple of num_attention_heads " + heads);
        }
        double dropout = config.number("hidden_dropout_prob", 0.1);
        OptionalInt labels = config.labels();
        return new BertConfig(
                roberta,
                labels.isPresent() ? config.modelType() + "." : "",
                hidden,
                config.integer("intermediate_size"),
                config.integer("num_hidden_layers"),
                heads,
                config.integer("vocab_size"),
                config.integer("max_position_embeddings", 512),
                roberta ? config.integer("pad_token_id", 1) + 1 : 0,
                config.integer("type_vocab_size", 2),
                config.number("layer_norm_eps", 1e-12),
                Activation.of(config, "hidden_act", Activation.GELU),
                labels.orElse(0),
                dropout,
                config.number("attention_probs_dropout_prob", 0.1),
                config.number("classifier_dropout", dropout));
    }

    private static void refuseUnsupported(ModelConfig config) {
        String kind = config.text("position_embedding_type", "absolute");
        if (!kind.equals("absolute")) {
            throw new LoricaException.Unsupported(
                    config.where() + ": position_embedding_type '" + kind + "' is not supported (known: absolute)");
        }
        if (config.flag("is_decoder", false)) {
            throw new LoricaException.Unsupported(
                    config.where() + ": is_decoder is not supported; Lorica runs this family as an encoder");
        }
    }

    int headDim() {
        return hiddenSize / heads;
    }

    int contextLength() {
        return positions - firstPosition;
    }
}
