package io.lorica.model.gpt2;

import io.lorica.model.Batch;
import io.lorica.model.CausalModel;
import io.lorica.model.Embedding;
import io.lorica.model.KvCache;
import io.lorica.model.LayerNorm;
import io.lorica.model.Linear;
import io.lorica.model.LoadedModel;
import io.lorica.model.ModelConfig;
import io.lorica.model.Pass;
import io.lorica.model.Weights;
import io.lorica.tensor.Scope;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;

/** A GPT-2 decoder with learned positions; see {@link Gpt2Block} for its arithmetic. */
final class Gpt2Model extends LoadedModel implements CausalModel {
    private final Gpt2Config config;
    private final Embedding words;
    private final Embedding positions;
    private final List<Gpt2Block> blocks;
    private final LayerNorm norm;
    private final Linear head;

    Gpt2Model(ModelConfig source, Gpt2Config config, Weights weights) {
        super(source, weights);
        this.config = config;
        words = weights.embedding("transformer.wte", config.vocabSize(), config.hiddenSize());
        positions = weights.embedding("transformer.wpe", config.positions(), config.hiddenSize());
        blocks = IntStream.range(0, config.layers())
                .mapToObj(layer -> new Gpt2Block(layer, config, weights))
                .toList();
        norm = LayerNorm.of(weights, "transformer.ln_f", config.hiddenSize(), config.eps());
        head = weights.decoderHead(source, words, config.tied());
        weights.ignore(".*\\.attn\\.(bias|masked_bias)", "the causal mask, which attention makes itself");
        weights.finish(source.where());
    }

    @Override
    public Tensor embed(Batch batch, Pass pass) {
        batch.requireWithin(config.positions());
        try (Scope scope = Scope.open()) {
            Tensor sum = words.forward(batch.tokens(), pass).add(positions.forward(batch.positions(), pass));
            return scope.keep(pass.dropout(sum, config.embeddingDropout(), "transformer.drop"));
        }
    }

    @Override
    public List<Gpt2Block> blocks() {
        return blocks;
    }

    @Override
    public Tensor finish(Tensor hidden) {
        return norm.forward(hidden);
    }

    @Override
    public Linear head() {
        return head;
    }

    @Override
    public int vocabularySize() {
        return config.vocabSize();
    }

    @Override
    public int contextLength() {
        return config.positions();
    }

    @Override
    public KvCache newCache(int sequences) {
        return new KvCache(sequences, config.layers());
    }

    @Override
    public int keyWidth() {
        return config.hiddenSize();
    }

    @Override
    public String outputHead() {
        return head.name();
    }
}
