package io.lorica.model;

import io.lorica.tensor.fused.BlockedRows;
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
    default Tensor keys(int layer, int total) {
        return keyRows(layer).gather(total);
    }

    /** The layer's first {@code total} values, {@code [total, width]}. */
    default Tensor values(int layer, int total) {
        return valueRows(layer).gather(total);
    }

    /** Where the layer's keys lie; valid until the next token is appended. */
    BlockedRows keyRows(int layer);

    /** Where the layer's values lie. */
    BlockedRows valueRows(int layer);

    /** Counts {@code n} tokens that all layers have appended. */
    void advance(int n);

    @Override
    void close();
}
