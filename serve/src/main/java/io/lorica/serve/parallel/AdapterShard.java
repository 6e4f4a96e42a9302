package io.lorica.serve.parallel;

import io.lorica.tensor.DType;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import io.lorica.tensor.fused.Elements;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** One rank's part of an adapter, all in one tensor. */
final class AdapterShard implements AutoCloseable {
    private final List<Entry> entries;
    private final Map<String, Part> parts = new LinkedHashMap<>();
    private final Tensor memory;

    /**
     * What a rank has at a site: for a product its rows of A {@code [rows, cols]} and its columns of the turned and scaled
     * B {@code [rank, out]}; for any other method its part of the weight's change {@code [rows, cols]} and of the bias'
     * {@code [out]}, where {@code out} is 0 if there is none.
     *
     * @param rank of the whole product; 0 for a change
     */
    record Entry(String site, int rank, int rows, int cols, int out) {
        long first() {
            return (long) rows * cols;
        }

        long second() {
            return (long) Math.max(rank, 1) * out;
        }

        boolean product() {
            return rank > 0;
        }
    }

    /** The same with its tensors' places. */
    record Part(Entry entry, Elements memory, long at) {
        /** Rows of A, or of the weight's change. */
        Tensor first() {
            return memory.view(at, entry.rows(), entry.cols());
        }

        /** Columns of the turned B, or of the bias' change as one row. */
        Tensor second() {
            return memory.view(at + entry.first(), Math.max(entry.rank(), 1), entry.out());
        }
    }

    /** Memory for these, to be {@linkplain #memory() filled}. */
    AdapterShard(List<Entry> entries, DType type) {
        this.entries = List.copyOf(entries);
        long size = entries.stream()
                .mapToLong(entry -> entry.first() + entry.second())
                .sum();
        try (Scope _ = Scope.open()) {
            memory = Scope.release(Tensors.empty(type, size));
        }
        Elements elements = new Elements(memory);
        long at = 0;
        for (Entry entry : entries) {
            parts.put(entry.site(), new Part(entry, elements, at));
            at += entry.first() + entry.second();
        }
    }

    List<Entry> entries() {
        return entries;
    }

    Tensor memory() {
        return memory;
    }

    @Nullable
    Part at(String site) {
        return parts.get(site);
    }

    @Override
    public void close() {
        memory.close();
    }
}
