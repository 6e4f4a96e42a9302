package io.lorica.model.t5;

import io.lorica.model.Batch;
import io.lorica.model.Embedding;
import io.lorica.model.EncoderDecoderModel;
import io.lorica.model.KvCache;
import io.lorica.model.Linear;
import io.lorica.model.LoadedModel;
import io.lorica.model.ModelConfig;
import io.lorica.model.Pass;
import io.lorica.model.Weights;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/**
 * T5 (Raffel et al., Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer, 2020).
 *
 * <p>Version 1.0 scales the decoder's output and has the embedding as its head. Version 1.1 does not scale, and its head
 * is {@code lm_head.weight}; transformers 5 writes both as {@code tie_word_embeddings: true} and tells them apart by
 * {@code scale_decoder_outputs}, so the file decides: an unscaled model without that tensor has the embedding as head.
 */
final class T5Model extends LoadedModel implements EncoderDecoderModel {
    private final T5Config config;
    private final T5Stack encoder;
    private final T5Stack decoder;
    private final Linear head;

    /** Builds the model; the caller finishes {@code weights}. */
    T5Model(ModelConfig source, T5Config config, Weights weights) {
        super(source, weights);
        this.config = config;
        Embedding words = weights.embedding("shared", config.vocabSize(), config.hidden());
        encoder = new T5Stack("encoder", false, config, words, weights);
        decoder = new T5Stack("decoder", true, config, words, weights);
        boolean own = !config.scaled() && weights.has("lm_head.weight");
        head = own
                ? weights.linear("lm_head", config.vocabSize(), config.hidden(), false)
                : weights.tied("lm_head", words);
        if (!own) {
            weights.ignore("lm_head\\.weight", "the output is tied to the embedding");
        }
    }

    @Override
    public Tensor encode(Batch source, Pass pass) {
        Batch whole = new Batch(source.tokens(), source.positions(), source.lengths(), null);
        return encoder.forward(whole, null, null, pass);
    }

    @Override
    public Tensor decode(Tensor encoded, Batch source, Batch target, Pass pass) {
        if (source.size() != target.size()) {
            throw new LoricaException.BadInput(
                    target.size() + " targets for " + source.size() + " sources; give one target per source");
        }
        try (Scope scope = Scope.open()) {
            Tensor hidden = decoder.forward(target, encoded, source, pass);
            if (source.cache() != null && source.cache().length(0) == 0) {
                source.cache().advance(source.lengths());
            }
            if (target.cache() != null) {
                target.cache().advance(target.lengths());
            }
            return scope.keep(config.scaled() ? hidden.mul(new Scalar(1 / Math.sqrt(config.hidden()))) : hidden);
        }
    }

    @Override
    public Linear head() {
        return head;
    }

    @Override
    public KvCache newCache(int sequences) {
        return new KvCache(sequences, config.decoderLayers());
    }

    @Override
    public int vocabularySize() {
        return config.vocabSize();
    }

    @Override
    public long startToken() {
        return config.startToken();
    }

    @Override
    public long endToken() {
        return config.endToken();
    }

    @Override
    public String outputHead() {
        return head.name();
    }
}
