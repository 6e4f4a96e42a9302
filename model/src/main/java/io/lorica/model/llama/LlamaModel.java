package io.lorica.model.llama;

import io.lorica.model.Batch;
import io.lorica.model.CausalModel;
import io.lorica.model.Embedding;
import io.lorica.model.FeedForward;
import io.lorica.model.KvCache;
import io.lorica.model.Linear;
import io.lorica.model.LoadedModel;
import io.lorica.model.ModelConfig;
import io.lorica.model.Pass;
import io.lorica.model.RmsNorm;
import io.lorica.model.Weights;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;

/** A decoder of the Llama architecture; see {@link LlamaBlock} for its arithmetic. */
final class LlamaModel extends LoadedModel implements CausalModel {
    private final LlamaConfig config;
    private final Embedding embedTokens;
    private final List<LlamaBlock> blocks;
    private final RmsNorm norm;
    private final Linear head;

    LlamaModel(ModelConfig source, LlamaConfig config, Weights weights) {
        super(source, weights);
        this.config = config;
        embedTokens = weights.embedding("model.embed_tokens", config.vocabSize(), config.hiddenSize());
        blocks = IntStream.range(0, config.layers())
                .mapToObj(layer -> new LlamaBlock(layer, config, weights))
                .toList();
        norm = RmsNorm.of(weights, "model.norm", config.hiddenSize(), config.rmsNormEps());
        head = weights.decoderHead(source, embedTokens, config.tied());
        weights.ignore(".*\\.rotary_emb\\.inv_freq", "computed from the configuration");
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
    public SequencedMap<String, FeedForward> feedForwards() {
        SequencedMap<String, FeedForward> byName = new LinkedHashMap<>();
        blocks.forEach(block -> byName.put(block.mlp().name(), block.mlp()));
        return byName;
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
    public int keyWidth() {
        return config.keyHeads() * config.headDim();
    }

    @Override
    public String outputHead() {
        return head.name();
    }
}
