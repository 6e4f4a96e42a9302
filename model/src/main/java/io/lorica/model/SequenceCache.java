package io.lorica.model;

import org.bytedeco.pytorch.Tensor;

/**
 * Keys and values that every layer has seen of one sequence. A {@link KvCache} puts several together for a batch, in
 * whatever composition the next step has; a sequence's cache lives as long as the sequence.
 */
public interface SequenceCache extends AutoCloseable {

    /** A cache that owns its memory and grows by doubling. */
    static SequenceCache growing(int layers) {
        return new GrowingCache(layers);
    }

    /** Tokens that every layer holds. */
    int length();

    /** Puts {@code k, v: [n, width]} of a layer after the tokens that are held; {@link #advance} counts them. */
    void append(int layer, Tensor k, Tensor v);

    /** The layer's first {@code total} keys, {@code [total, width]}: those held and those appended since. */
    Tensor keys(int layer, int total);

    /** The layer's first {@code total} values, {@code [total, width]}. */
    Tensor values(int layer, int total);

    /** Counts {@code n} tokens that all layers have appended. */
    void advance(int n);

    @Override
    void close();
}
