package io.lorica.model.clip;

import io.lorica.model.Batch;
import io.lorica.model.CausalAttention;
import io.lorica.model.Embedding;
import io.lorica.model.LayerNorm;
import io.lorica.model.Linear;
import io.lorica.model.ModelConfig;
import io.lorica.model.Pass;
import io.lorica.model.PreNormBlock;
import io.lorica.model.Weights;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/**
 * CLIP's text tower, a causal transformer: the features are the projection of the last layer, normalised, at the text's
 * end token. What follows that token changes nothing, so texts need no padding.
 *
 * <p>transformers can drop attention weights here in training ({@code attention_dropout}, 0 in every published
 * configuration); the shared causal attention keeps them.
 */
final class TextTower {
    /** What the first checkpoints call the end token's id, wrongly: there the highest id marks the end. */
    private static final int LEGACY_END = 2;

    private final Embedding words;
    private final Embedding positions;
    private final List<PreNormBlock> blocks;
    private final LayerNorm norm;
    private final Linear projection;
    private final int end;

    TextTower(ModelConfig whole, Weights weights) {
        ModelConfig source = TowerConfig.object(whole, "text");
        TowerConfig config = TowerConfig.from(whole, source, 512);
        end = source.integer("eos_token_id", 49407);
        String at = "text_model.embeddings.";
        words = weights.embedding(at + "token_embedding", source.integer("vocab_size", 49408), config.hidden());
        positions = weights.embedding(
                at + "position_embedding", source.integer("max_position_embeddings", 77), config.hidden());
        CausalAttention attention = new CausalAttention(config.heads(), config.heads(), config.headDim(), 0);
        blocks = config.blocks("text_model", weights, _ -> (q, k, v, batch, _) -> attention.forward(q, k, v, batch, 0));
        norm = LayerNorm.of(weights, "text_model.final_layer_norm", config.hidden(), config.eps());
        projection = weights.linear("text_projection", config.projection(), config.hidden(), false);
    }

    int contextLength() {
        return Math.toIntExact(positions.in());
    }

    int vocabularySize() {
        return Math.toIntExact(words.in());
    }

    long endToken() {
        return end == LEGACY_END ? words.in() - 1 : end;
    }

    Tensor features(Batch batch, Pass pass) {
        batch.requireWithin(contextLength());
        try (Scope scope = Scope.open()) {
            Tensor hidden = words.forward(batch.tokens(), pass).add(positions.forward(batch.positions(), pass));
            for (PreNormBlock block : blocks) {
                hidden = block.forward(hidden, batch, pass);
            }
            Tensor pooled = norm.forward(hidden).index_select(0, Tensors.of(ends(batch)));
            return scope.keep(projection.forward(pooled, pass));
        }
    }

    /** Where each text ends, counted over the whole batch. */
    private long[] ends(Batch batch) {
        long[] ids = Tensors.longs(batch.tokens());
        long[] ends = new long[batch.size()];
        int at = 0;
        for (int i = 0; i < ends.length; i++) {
            int stop = at + batch.lengths()[i];
            ends[i] = end == LEGACY_END ? largest(ids, at, stop) : first(ids, at, stop, i);
            at = stop;
        }
        return ends;
    }

    private long first(long[] ids, int from, int to, int text) {
        for (int i = from; i < to; i++) {
            if (ids[i] == end) {
                return i;
            }
        }
        throw new LoricaException.BadInput("text " + text + " of the batch lacks the end token " + end
                + ", where CLIP reads its features; encode it with special tokens, and cut it before that token");
    }

    private static long largest(long[] ids, int from, int to) {
        int best = from;
        for (int i = from + 1; i < to; i++) {
            best = ids[i] > ids[best] ? i : best;
        }
        return best;
    }
}
