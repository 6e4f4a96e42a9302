package io.lorica.model;

import io.lorica.tensor.Scope;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/**
 * A decoder that predicts the next token. The forward pass is {@link #embed}, the {@link #blocks()} in order,
 * {@link #finish}, and {@link #head()} for those positions whose logits are wanted: callers choose the positions, since
 * a vocabulary's logits cost as much as many layers.
 */
public interface CausalModel extends BaseModel {

    /** {@code [T]} ids to {@code [T, hidden]}. */
    Tensor embed(Batch batch, Pass pass);

    List<? extends Block> blocks();

    /** The last normalisation: {@code [T, hidden]} to {@code [T, hidden]}. */
    Tensor finish(Tensor hidden);

    /** The map to logits: {@code [n, hidden]} to {@code [n, vocab]}. Its weight may be the embedding's. */
    Linear head();

    int vocabularySize();

    /** Longest sequence that positions are defined for. */
    int contextLength();

    KvCache newCache(int sequences);

    /** All of the forward pass but the head: {@code [T, hidden]}, normalised. Advances the batch's cache. */
    default Tensor hidden(Batch batch, Pass pass) {
        Tensor hidden = embed(batch, pass);
        for (Block block : blocks()) {
            hidden = block.forward(hidden, batch, pass);
        }
        if (batch.cache() != null) {
            batch.cache().advance(batch.lengths());
        }
        return finish(hidden);
    }

    /** Logits of every token: {@code [T, vocab]}. Owned by the caller's innermost scope. */
    default Tensor logits(Batch batch, Pass pass) {
        try (Scope scope = Scope.open()) {
            return scope.keep(head().forward(hidden(batch, pass), pass));
        }
    }

    /** Logits of the last token of each sequence: {@code [sequences, vocab]}. */
    default Tensor nextLogits(Batch batch, Pass pass) {
        try (Scope scope = Scope.open()) {
            long[] last = new long[batch.size()];
            int at = 0;
            for (int i = 0; i < last.length; i++) {
                at += batch.lengths()[i];
                last[i] = at - 1;
            }
            Tensor hidden = hidden(batch, pass).index_select(0, io.lorica.tensor.Tensors.of(last));
            return scope.keep(head().forward(hidden, pass));
        }
    }
}
