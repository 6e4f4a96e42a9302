package io.lorica.model;

import io.lorica.tensor.Scope;
import io.lorica.tensor.fused.BlockedRows;
import io.lorica.tensor.fused.Elements;
import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/** Keys and values in one tensor per layer, {@code [capacity, width]}, owned outside every scope. */
final class GrowingCache implements SequenceCache {
    private final @Nullable BlockedRows[] keys;
    private final @Nullable BlockedRows[] values;
    private int length;

    GrowingCache(int layers) {
        keys = new BlockedRows[layers];
        values = new BlockedRows[layers];
    }

    @Override
    public int length() {
        return length;
    }

    @Override
    public void append(int layer, Tensor k, Tensor v) {
        keys[layer] = append(keys[layer], k);
        values[layer] = append(values[layer], v);
    }

    @Override
    public BlockedRows keyRows(int layer) {
        return filled(keys, layer);
    }

    @Override
    public BlockedRows valueRows(int layer) {
        return filled(values, layer);
    }

    @Override
    public void advance(int n) {
        length += n;
    }

    private static BlockedRows filled(@Nullable BlockedRows[] store, int layer) {
        BlockedRows rows = store[layer];
        if (rows == null) {
            throw new IllegalStateException("layer " + layer + " has not appended to the cache");
        }
        return rows;
    }

    private BlockedRows append(@Nullable BlockedRows store, Tensor added) {
        BlockedRows target = store;
        long needed = length + added.size(0);
        if (target == null || target.blockRows() < needed) {
            target = larger(target, needed, added);
        }
        target.write(length, added);
        return target;
    }

    private BlockedRows larger(@Nullable BlockedRows store, long needed, Tensor like) {
        try (Scope _ = Scope.open()) {
            long capacity = Math.max(64, Long.highestOneBit(Math.max(1, needed - 1)) * 2);
            Tensor larger = torch.empty(new long[] {capacity, like.size(1)}, like.options(), null);
            if (store != null) {
                larger.narrow(0, 0, length).copy_(store.gather(length));
                store.memory().tensor().close();
            }
            Elements memory = new Elements(Scope.release(larger));
            return new BlockedRows(memory, new long[] {0}, (int) capacity, (int) like.size(1));
        }
    }

    @Override
    public void close() {
        free(keys);
        free(values);
    }

    private static void free(@Nullable BlockedRows[] layers) {
        for (BlockedRows layer : layers) {
            if (layer != null) {
                layer.memory().tensor().close();
            }
        }
        Arrays.fill(layers, null);
    }
}
