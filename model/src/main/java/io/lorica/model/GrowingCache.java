package io.lorica.model;

import io.lorica.tensor.Scope;
import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/** Keys and values in one tensor per layer, {@code [capacity, width]}, owned outside every scope. */
final class GrowingCache implements SequenceCache {
    private final @Nullable Tensor[] keys;
    private final @Nullable Tensor[] values;
    private int length;

    GrowingCache(int layers) {
        keys = new Tensor[layers];
        values = new Tensor[layers];
    }

    @Override
    public int length() {
        return length;
    }

    @Override
    public void append(int layer, Tensor k, Tensor v) {
        keys[layer] = grow(keys[layer], k);
        values[layer] = grow(values[layer], v);
    }

    @Override
    public Tensor keys(int layer, int total) {
        return filled(keys, layer, total);
    }

    @Override
    public Tensor values(int layer, int total) {
        return filled(values, layer, total);
    }

    @Override
    public void advance(int n) {
        length += n;
    }

    private static Tensor filled(@Nullable Tensor[] store, int layer, int total) {
        Tensor tensor = store[layer];
        if (tensor == null) {
            throw new IllegalStateException("layer " + layer + " has not appended to the cache");
        }
        return tensor.narrow(0, 0, total);
    }

    private Tensor grow(@Nullable Tensor store, Tensor added) {
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
        free(keys);
        free(values);
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
