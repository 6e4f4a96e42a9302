package io.lorica.serve.engine;

import io.lorica.model.Batch;
import io.lorica.model.KvCache;
import io.lorica.model.Pass;
import io.lorica.serve.mix.AdapterPages;
import io.lorica.serve.mix.Blend;
import io.lorica.serve.mix.MergedBlend;
import io.lorica.serve.mix.Rows;
import io.lorica.serve.pool.PagedCache;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * One forward pass over many requests: the next tokens of each, packed without padding. A request that is being read
 * brings a piece of its prompt, one that is answered brings the token it chose last; the model sees no difference.
 */
final class Step {

    /**
     * A request with the tokens it brings.
     *
     * @param completes whether the model has then seen all of its tokens, so that the next one can be chosen
     */
    record Slice(Running request, int count, boolean completes) {
        static Slice of(Running request, int count) {
            return new Slice(request, count, count == request.pendingTokens());
        }
    }

    /**
     * Rows of logits that every step uses again. Fresh ones, hundreds of kilobytes each, outlive the collector's small young
     * generation and fill the heap up to its limit before they are found to be garbage.
     */
    static final class Buffers {
        private final List<float[]> rows = new ArrayList<>();

        /** @param width the same on every call */
        List<float[]> of(int count, int width) {
            while (rows.size() < count) {
                rows.add(new float[width]);
            }
            return rows.subList(0, count);
        }
    }

    private final List<Slice> slices;
    private final Buffers buffers;
    private final AdapterPages adapters;
    private final @Nullable MergedBlend merged;

    /** Requests with equal blends become neighbours, so that their rows go through one product. */
    Step(List<Slice> slices, AdapterPages adapters, @Nullable MergedBlend merged, Buffers buffers) {
        this.buffers = buffers;
        this.merged = merged;
        this.adapters = adapters;
        Map<Blend, Integer> order = new HashMap<>();
        slices.forEach(slice -> order.putIfAbsent(slice.request().request().blend(), order.size()));
        this.slices = slices.stream()
                .sorted(Comparator.comparingInt(
                        slice -> order.getOrDefault(slice.request().request().blend(), 0)))
                .toList();
    }

    /**
     * Logits of the next token for each request whose tokens are all seen, in the buffers; advances every request's cache.
     */
    Map<Running, float[]> run(Crew crew) {
        try (Scope _ = Scope.open()) {
            List<long[]> tokens = slices.stream()
                    .map(slice -> slice.request().next(slice.count()))
                    .toList();
            List<PagedCache> caches = slices.stream()
                    .map(slice -> Objects.requireNonNull(slice.request().seat()).cache())
                    .toList();
            Batch batch = Batch.of(tokens, KvCache.of(List.copyOf(caches)));
            Rows rows = rows(slices, batch.lengths());
            crew.follow(tokens, caches, rows);
            Tensor hidden = crew.model().hidden(batch, Pass.inference().with(crew.facts(rows)));
            crew.done();
            return logits(crew, hidden);
        }
    }

    private Map<Running, float[]> logits(Crew crew, Tensor hidden) {
        List<Slice> complete = slices.stream().filter(Slice::completes).toList();
        Map<Running, float[]> result = new HashMap<>();
        if (complete.isEmpty()) {
            return result;
        }
        Tensor last = hidden.index_select(0, Tensors.of(lastRows()));
        int[] ones = new int[complete.size()];
        Arrays.fill(ones, 1);
        Tensor rows = crew.model().head().forward(last, Pass.inference().with(crew.facts(rows(complete, ones))));
        List<float[]> into = buffers.of(complete.size(), (int) rows.size(1));
        Tensors.copyRows(rows, into);
        for (int i = 0; i < complete.size(); i++) {
            result.put(complete.get(i).request(), into.get(i));
        }
        return result;
    }

    private long[] lastRows() {
        List<Long> rows = new ArrayList<>();
        long end = 0;
        for (Slice slice : slices) {
            end += slice.count();
            if (slice.completes()) {
                rows.add(end - 1);
            }
        }
        return rows.stream().mapToLong(Long::longValue).toArray();
    }

    private Rows rows(List<Slice> slices, int[] counts) {
        return Rows.of(
                counts,
                slices.stream().map(slice -> slice.request().request().blend()).toList(),
                adapters,
                merged);
    }
}
