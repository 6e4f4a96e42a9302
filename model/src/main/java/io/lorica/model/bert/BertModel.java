package io.lorica.model.bert;

import io.lorica.model.Batch;
import io.lorica.model.Embedding;
import io.lorica.model.EncoderModel;
import io.lorica.model.LayerNorm;
import io.lorica.model.Linear;
import io.lorica.model.LoadedModel;
import io.lorica.model.ModelConfig;
import io.lorica.model.Pass;
import io.lorica.model.Weights;
import io.lorica.tensor.DType;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** A BERT or RoBERTa encoder; see {@link BertBlock} for its arithmetic. */
sealed class BertModel extends LoadedModel implements EncoderModel permits BertClassifier {
    private final BertConfig config;
    private final Embedding words;
    private final Embedding positions;
    private final Embedding segments;
    private final LayerNorm norm;
    private final List<BertBlock> blocks;
    private final @Nullable Linear pooler;

    /** Builds the encoder; the caller finishes {@code weights}. */
    BertModel(ModelConfig source, BertConfig config, Weights weights) {
        super(source, weights);
        this.config = config;
        long hidden = config.hiddenSize();
        String at = config.prefix() + "embeddings.";
        words = weights.embedding(at + "word_embeddings", config.vocabSize(), hidden);
        positions = weights.embedding(at + "position_embeddings", config.positions(), hidden);
        segments = weights.embedding(at + "token_type_embeddings", config.segments(), hidden);
        norm = LayerNorm.of(weights, at + "LayerNorm", hidden, config.eps());
        blocks = IntStream.range(0, config.layers())
                .mapToObj(layer -> new BertBlock(layer, config, weights))
                .toList();
        pooler = hasPooler(weights) ? weights.linear(config.prefix() + "pooler.dense", hidden, hidden, true) : null;
        weights.ignore(".*embeddings\\.position_ids", "numbers from 0 on, not weights");
        weights.ignore("(cls|lm_head|qa_outputs)\\..*", "the head of another task");
    }

    /** BERT's head needs the pooler, RoBERTa's never uses it, and a bare encoder may have been saved without. */
    private boolean hasPooler(Weights weights) {
        return config.labels() > 0
                ? !config.roberta()
                : weights.has("pooler.dense.weight") || weights.has("pooler.dense.bias");
    }

    @Override
    public Tensor embed(Batch batch, Pass pass) {
        batch.requireWithin(contextLength());
        try (Scope scope = Scope.open();
                Scalar first = new Scalar(config.firstPosition())) {
            Tensor types = batch.segments() != null ? batch.segments() : Tensors.zeros(DType.I64, batch.totalTokens());
            Tensor sum = words.forward(batch.tokens(), pass)
                    .add(positions.forward(batch.positions().add(first), pass))
                    .add(segments.forward(types, pass));
            return scope.keep(pass.dropout(norm.forward(sum), config.hiddenDropout(), config.prefix() + "embeddings"));
        }
    }

    @Override
    public List<BertBlock> blocks() {
        return blocks;
    }

    /** {@code tanh(pooler.dense(h))} of each sequence's first token: {@code [T, hidden]} to {@code [sequences, hidden]}. */
    final Tensor pool(Tensor hidden, Batch batch, Pass pass) {
        if (pooler == null) {
            throw new IllegalStateException("the checkpoint has no pooler");
        }
        return pooler.forward(firstTokens(hidden, batch), pass).tanh();
    }

    static Tensor firstTokens(Tensor hidden, Batch batch) {
        return hidden.index_select(0, batch.firstTokens());
    }

    @Override
    public int hiddenSize() {
        return config.hiddenSize();
    }

    @Override
    public int vocabularySize() {
        return config.vocabSize();
    }

    @Override
    public int contextLength() {
        return config.contextLength();
    }

    @Override
    public String outputHead() {
        return "";
    }
}
