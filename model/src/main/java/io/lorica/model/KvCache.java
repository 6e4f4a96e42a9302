package io.lorica.model;

import io.lorica.tensor.Scope;
import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * Keys and values of the tokens already seen, per sequence and layer, each {@code [capacity, width]} growing by
 * doubling. Owned outside every scope; {@link #close()} frees it.
 */
public final class KvCache implements AutoCloseable {
    private @Nullable Tensor[][] keys;
    private @Nullable Tensor[][] values;
    private int[] lengths;

    public KvCache(int sequences, int layers) {
        keys = new Tensor[sequences][layers];
        values = new Tensor[sequences][layers];
        lengths = new int[sequences];
    }

    /** Tokens that every layer holds for a sequence. */
    public int length(int sequence) {
        return lengths[sequence];
    }

    /** Adds {@code k, v: [n, width]} after the cached tokens; call {@link #advance} once all layers have done so. */
    public void append(int sequence, int layer, Tensor k, Tensor v) {
        keys[sequence][layer] = grow(keys[sequence][layer], k, lengths[sequence]);
        values[sequence][layer] = grow(values[sequence][layer], v, lengths[sequence]);
    }

    /** All keys of a sequence up to and with the newest: {@code [total, width]}, a view. */
    public Tensor keys(int sequence, int layer, int total) {
        return filled(keys, sequence, layer, total);
    }

    public Tensor values(int sequence, int layer, int total) {
        return filled(values, sequence, layer, total);
    }

    /** Counts the tokens of a finished forward pass. */
    public void advance(int[] added) {
        for (int i = 0; i < lengths.length; i++) {
            lengths[i] += added[i];
        }
    }

    /** Keeps only these sequences, in this order: the first becomes sequence 0. Frees the others. */
    public void retain(int[] sequences) {
        boolean[] kept = new boolean[lengths.length];
        for (int sequence : sequences) {
            kept[sequence] = true;
        }
        for (int i = 0; i < kept.length; i++) {
            if (!kept[i]) {
                free(keys[i]);
                free(values[i]);
            }
        }
        keys = Arrays.stream(sequences).mapToObj(i -> keys[i]).toArray(Tensor[][]::new);
        values = Arrays.stream(sequences).mapToObj(i -> values[i]).toArray(Tensor[][]::new);
        lengths = Arrays.stream(sequences).map(i -> lengths[i]).toArray();
    }

    private static Tensor filled(@Nullable Tensor[][] store, int sequence, int layer, int total) {
        Tensor tensor = store[sequence][layer];
        if (tensor == null) {
            throw new IllegalStateException("layer " + layer + " has not appended to the cache");
        }
        return tensor.narrow(0, 0, total);
    }

    private static Tensor grow(@Nullable Tensor store, Tensor added, int length) {
        try (Scope _ = Scope.open()) {
            long count = added.size(0);
            Tensor target = store;
            if (target == null || target.size(0) < length + count) {
                long capacity = Math.max(64, Long.highestOneBit(Math.max(1, length + count - 1)) * 2);
                Tensor larger = torch.empty(new long[] {capacity, added.size(1)}, added.options(), null);
                if (target != null) {
                    larger.narrow(0, 0, length).copy_(target.narrow(0, 0, length));
                    target.close();
                }
                target = Scope.release(larger);
            }
            target.narrow(0, length, count).copy_(added);
            return target;
        }
    }

    @Override
    public void close() {
        for (Tensor[][] store : Arrays.asList(keys, values)) {
            for (Tensor[] layers : store) {
                free(layers);
            }
        }
    }

    private static void free(@Nullable Tensor[] layers) {
        for (Tensor layer : layers) {
            if (layer != null) {
                layer.close();
            }
        }
        Arrays.fill(layers, null);
    }
}
