package io.lorica.model;

import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;

/**
 * A decoder that predicts the next token. The forward pass is {@link #embed}, the {@link #blocks()} in order,
 * {@link #finish}, and {@link #head()} for those positions whose logits are wanted: callers choose the positions, since
 * a vocabulary's logits cost as much as many layers.
 */
public interface CausalModel extends Transformer {

    /** The map to logits: {@code [n, hidden]} to {@code [n, vocab]}. Its weight may be the embedding's. */
    Linear head();

    int vocabularySize();

    KvCache newCache(int sequences);

    /** Elements of one token's keys in one layer, all key heads together; its values have as many. */
    int keyWidth();

    /** Logits of every token: {@code [T, vocab]}. Owned by the caller's innermost scope. */
    default Tensor logits(Batch batch, Pass pass) {
        try (Scope scope = Scope.open()) {
            return scope.keep(head().forward(hidden(batch, pass), pass));
        }
    }

    /** Logits of the last token of each sequence: {@code [sequences, vocab]}. */
    default Tensor nextLogits(Batch batch, Pass pass) {
        try (Scope scope = Scope.open()) {
            Tensor last = hidden(batch, pass).index_select(0, Tensors.of(batch.lastTokens()));
            return scope.keep(head().forward(last, pass));
        }
    }
}
