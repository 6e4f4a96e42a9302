package io.lorica.model;

import io.lorica.tensor.Scope;
import org.bytedeco.pytorch.Tensor;

/**
 * A model that reads a source text in both directions and predicts a target text from it, token by token (T5). A batch
 * has as many sources as targets; target {@code i} belongs to source {@code i}.
 */
public interface EncoderDecoderModel extends BaseModel {

    /** The source's last hidden state: {@code [S, hidden]}, owned by the caller's innermost scope. */
    Tensor encode(Batch source, Pass pass);

    /**
     * The decoder but its head.
     *
     * @param encoded what {@link #encode} gave for {@code source}
     * @param source where it has a cache, what the decoder reads of the source is computed once and kept there
     * @param target where it has a cache, its tokens follow those in there
     * @return {@code [T, hidden]}, normalised and scaled for {@link #head}; owned by the caller's innermost scope
     */
    Tensor decode(Tensor encoded, Batch source, Batch target, Pass pass);

    /** The map to logits: {@code [n, hidden]} to {@code [n, vocab]}. Its weight may be the embedding's. */
    Linear head();

    /** An empty cache for sources or targets. */
    KvCache newCache(int sequences);

    int vocabularySize();

    /** The id that every target starts with, before its first token. */
    long startToken();

    /** The id that ends a target. */
    long endToken();

    /** Logits of every target token: {@code [T, vocab]}, owned by the caller's innermost scope. */
    default Tensor logits(Batch source, Batch target, Pass pass) {
        try (Scope scope = Scope.open()) {
            Tensor hidden = decode(encode(source, pass), source, target, pass);
            return scope.keep(head().forward(hidden, pass));
        }
    }
}
