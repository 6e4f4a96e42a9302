package io.lorica.model;

import io.lorica.tensor.Scope;
import io.lorica.tensor.fused.BlockedRows;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;

/** What the sequences of a batch have been through already, one {@link SequenceCache} each, in the batch's order. */
public final class KvCache implements AutoCloseable {
    private List<SequenceCache> sequences;

    /** Empty caches, which this object owns. */
    public KvCache(int sequences, int layers) {
        this.sequences = Stream.generate(() -> SequenceCache.growing(layers))
                .limit(sequences)
                .toList();
    }

    private KvCache(List<SequenceCache> sequences) {
        this.sequences = sequences;
    }

    /** Sequences put together for one step; who composes them closes them, one by one, and not this object. */
    public static KvCache of(List<SequenceCache> sequences) {
        return new KvCache(List.copyOf(sequences));
    }

    /** Tokens that every layer holds for a sequence. */
    public int length(int sequence) {
        return sequences.get(sequence).length();
    }

    /** Adds {@code k, v: [n, width]} after the cached tokens; call {@link #advance} once all layers have done so. */
    public void append(int sequence, int layer, Tensor k, Tensor v) {
        sequences.get(sequence).append(layer, k, v);
    }

    /** All keys of a sequence up to and with the newest, {@code [total, width]}: a view where they lie together, else a copy. */
    public Tensor keys(int sequence, int layer, int total) {
        return sequences.get(sequence).keys(layer, total);
    }

    public Tensor values(int sequence, int layer, int total) {
        return sequences.get(sequence).values(layer, total);
    }

    /** Where the keys of a sequence lie. */
    BlockedRows keyRows(int sequence, int layer) {
        return sequences.get(sequence).keyRows(layer);
    }

    BlockedRows valueRows(int sequence, int layer) {
        return sequences.get(sequence).valueRows(layer);
    }

    /** Counts the tokens of a finished forward pass. */
    public void advance(int[] added) {
        for (int i = 0; i < added.length; i++) {
            sequences.get(i).advance(added[i]);
        }
    }

    /** Keeps only these sequences, in this order: the first becomes sequence 0. Frees the others. */
    public void retain(int[] kept) {
        List<SequenceCache> before = sequences;
        sequences = Arrays.stream(kept).mapToObj(before::get).toList();
        before.stream().filter(sequence -> !sequences.contains(sequence)).forEach(SequenceCache::close);
    }

    /**
     * A cache of its own with copies of these sequences in this order, any of them several times; the caller closes it.
     *
     * @param layers of the model
     */
    public KvCache copies(int layers, int... chosen) {
        KvCache copies = new KvCache(chosen.length, layers);
        for (int i = 0; i < chosen.length; i++) {
            int length = length(chosen[i]);
            for (int layer = 0; layer < layers; layer++) {
                try (Scope _ = Scope.open()) {
                    copies.append(i, layer, keys(chosen[i], layer, length), values(chosen[i], layer, length));
                }
            }
            copies.sequences.get(i).advance(length);
        }
        return copies;
    }

    @Override
    public void close() {
        sequences.forEach(SequenceCache::close);
    }
}
