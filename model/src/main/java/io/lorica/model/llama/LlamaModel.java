package io.lorica.model.llama;

import io.lorica.model.Batch;
import io.lorica.model.CausalModel;
import io.lorica.model.Embedding;
import io.lorica.model.KvCache;
import io.lorica.model.Linear;
import io.lorica.model.ModelConfig;
import io.lorica.model.Parameter;
import io.lorica.model.Pass;
import io.lorica.model.Site;
import io.lorica.model.Weights;
import io.lorica.tensor.DType;
import java.util.List;
import java.util.SequencedMap;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;

/** A decoder of the Llama architecture; see {@link LlamaBlock} for its arithmetic. */
final class LlamaModel implements CausalModel {
    private final ModelConfig source;
    private final LlamaConfig config;
    private final Weights weights;
    private final Embedding embedTokens;
    private final List<LlamaBlock> blocks;
    private final RmsNorm norm;
    private final Linear head;

    LlamaModel(ModelConfig source, LlamaConfig config, Weights weights) {
        this.source = source;
        this.config = config;
        this.weights = weights;
        embedTokens = weights.embedding("model.embed_tokens", config.vocabSize(), config.hiddenSize());
        blocks = IntStream.range(0, config.layers())
                .mapToObj(layer -> new LlamaBlock(layer, config, weights))
                .toList();
        norm = new RmsNorm(weights.parameter("model.norm.weight", config.hiddenSize()), config.rmsNormEps());
        head = config.tied()
                ? weights.tied("lm_head", embedTokens)
                : weights.linear("lm_head", config.vocabSize(), config.hiddenSize(), false);
        weights.finish(source.where());
    }

    @Override
    public Tensor embed(Batch batch, Pass pass) {
        return embedTokens.forward(batch.tokens(), pass);
    }

    @Override
    public List<LlamaBlock> blocks() {
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
        return config.maxPositions();
    }

    @Override
    public KvCache newCache(int sequences) {
        return new KvCache(sequences, config.layers());
    }

    @Override
    public ModelConfig config() {
        return source;
    }

    @Override
    public DType dtype() {
        return weights.dtype();
    }

    @Override
    public SequencedMap<String, Site> sites() {
        return weights.sites();
    }

    @Override
    public SequencedMap<String, Parameter> parameters() {
        return weights.parameters();
    }

    @Override
    public String outputHead() {
        return head.name();
    }

    @Override
    public void close() {
        weights.close();
    }
}
