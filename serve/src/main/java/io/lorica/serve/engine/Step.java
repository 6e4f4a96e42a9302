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

    private final List<Slice> slices;
    private final AdapterPages adapters;
    private final @Nullable MergedBlend merged;

    /** Requests with equal blends become neighbours, so that their rows go through one product. */
    Step(List<Slice> slices, AdapterPages adapters, @Nullable MergedBlend merged) {
        this.merged = merged;
        this.adapters = adapters;
        Map<Blend, Integer> order = new HashMap<>();
        slices.forEach(slice -> order.putIfAbsent(slice.request().request().blend(), order.size()));
        this.slices = slices.stream()
                .sorted(Comparator.comparingInt(
                        slice -> order.getOrDefault(slice.request().request().blend(), 0)))
                .toList();
    }

    /** Logits of the next token for each request whose tokens are all seen; advances every request's cache. */
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
        float[] rows = Tensors.floats(
                crew.model().head().forward(last, Pass.inference().with(crew.facts(rows(complete, ones)))));
        int width = rows.length / complete.size();
        for (int i = 0; i < complete.size(); i++) {
            result.put(complete.get(i).request(), Arrays.copyOfRange(rows, i * width, (i + 1) * width));
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
