package io.lorica.serve.parallel;

import static org.assertj.core.api.Assertions.assertThat;

import io.lorica.adapter.RowRanges;
import io.lorica.model.Batch;
import io.lorica.model.CausalModel;
import io.lorica.model.ModelLoader;
import io.lorica.model.Pass;
import io.lorica.model.Shard;
import io.lorica.serve.TinyModels;
import io.lorica.serve.mix.Blend;
import io.lorica.serve.mix.MixedOverlay;
import io.lorica.serve.mix.Rows;
import io.lorica.serve.mix.ServedAdapter;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

/** Ranks on threads of this process, each with its own part of a tiny model, compute together what one computes. */
class ShardOverlayTest {
    private static final ShardRows NO_ADAPTERS = new ShardRows(RowRanges.only(0, List.of()));
    private static final String ALL =
            "'target_modules':['q_proj','k_proj','v_proj','o_proj','gate_proj','up_proj','down_proj']";
    private static final List<String[]> KINDS = List.of(
            new String[] {"lora", "{'r':1,'lora_alpha':2," + ALL + "}"},
            new String[] {"lora", "{'r':8,'lora_alpha':16," + ALL + "}"},
            new String[] {"lora", "{'r':5,'lora_alpha':5,'target_modules':['q_proj','o_proj','lm_head']}"},
            new String[] {"dora", "{'r':4,'lora_alpha':8," + ALL + "}"},
            new String[] {"loha", "{'r':4,'alpha':4,'target_modules':['v_proj','down_proj']}"});

    /** What one rank does with its model. */
    private interface Work<T> {
        T run(Shard shard, CausalModel model, Collective ranks);
    }

    private static <T> List<T> together(CausalModel whole, int count, Work<T> work) throws IOException {
        Path meeting = Files.createTempDirectory("ranks").resolve("store");
        try (ExecutorService threads = Executors.newThreadPerTaskExecutor(
                Thread.ofPlatform().name("rank").factory())) {
            List<Future<T>> results = IntStream.range(0, count)
                    .mapToObj(rank -> threads.submit(() -> alone(whole, rank, count, meeting, work)))
                    .toList();
            List<T> values = new ArrayList<>();
            for (Future<T> result : results) {
                values.add(result.get());
            }
            return values;
        } catch (InterruptedException | ExecutionException e) {
            throw new AssertionError(e);
        }
    }

    private static <T> T alone(CausalModel whole, int rank, int count, Path meeting, Work<T> work) {
        Shard shard = ModelLoader.shard(whole, rank, count);
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled();
                CausalModel model = (CausalModel) ModelLoader.part(whole, shard);
                Collective ranks = Collective.join(meeting, rank, count, Duration.ofSeconds(20))) {
            ShardOverlay.attach(model, shard, ranks);
            return work.run(shard, model, ranks);
        }
    }

    private static List<ServedAdapter> adapters(CausalModel model) {
        return IntStream.range(0, KINDS.size())
                .mapToObj(
                        i -> ServedAdapter.of("a" + i, TinyModels.adapter(model, KINDS.get(i)[0], KINDS.get(i)[1], i)))
                .toList();
    }

    private static Blend draw(Random random, List<ServedAdapter> adapters) {
        int count = random.nextInt(3);
        return new Blend(random.ints(0, adapters.size())
                .distinct()
                .limit(count)
                .mapToObj(i -> new Blend.Part(adapters.get(i), count == 1 ? 1 : random.nextDouble() - 0.3))
                .toList());
    }

    private static ShardRows cut(Shard shard, DType type, Rows rows) {
        AdapterCut cut = new AdapterCut(shard, type);
        return new ShardRows(rows.ranges()
                .map(blend -> blend.parts().stream()
                        .map(part -> new ShardRows.Acting(cut.of(part.adapter()), part.weight()))
                        .toList()));
    }

    private static float[] logits(CausalModel model, List<long[]> sequences, Pass.Facts facts) {
        return Tensors.floats(model.logits(Batch.of(sequences), Pass.inference().with(facts)));
    }

    @Property(tries = 12)
    void forward_anyMixOnAnyRanks_whatOneRankComputes(@ForAll long seed, @ForAll @IntRange(min = 2, max = 4) int count)
            throws IOException {
        Random random = new Random(seed);
        try (CausalModel whole = TinyModels.open("llama2", DType.F32)) {
            List<ServedAdapter> adapters = adapters(whole);
            List<long[]> sequences = new ArrayList<>();
            List<Blend> blends = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                sequences.add(random.longs(1 + random.nextInt(6), 0, 64).toArray());
                blends.add(draw(random, adapters));
            }
            int[] lengths = sequences.stream().mapToInt(ids -> ids.length).toArray();
            Rows rows = Rows.of(lengths, blends, null, null);
            MixedOverlay.attach(whole);
            float[] expected;
            try (Scope _ = Scope.open();
                    Grad _ = Grad.disabled()) {
                expected = logits(whole, sequences, rows);
            }
            MixedOverlay.detach(whole);
            List<float[]> actual =
                    together(whole, count, (shard, model, _) -> logits(model, sequences, cut(shard, DType.F32, rows)));
            assertThat(actual.getFirst()).usingComparatorWithPrecision(1e-5f).containsExactly(expected);
            adapters.forEach(ServedAdapter::close);
        }
    }

    @Example
    void forward_biasesEverywhere_whatOneRankComputes() throws IOException {
        try (CausalModel whole = TinyModels.open("llama-biases", DType.F32)) {
            List<long[]> sequences = List.of(new long[] {1, 2, 3}, new long[] {9});
            float[] expected;
            try (Scope _ = Scope.open()) {
                expected = logits(whole, sequences, NO_ADAPTERS);
            }
            List<float[]> actual = together(whole, 2, (_, model, _) -> logits(model, sequences, NO_ADAPTERS));
            assertThat(actual.getFirst()).usingComparatorWithPrecision(1e-5f).containsExactly(expected);
        }
    }

    /** S-LoRA's count: three gathers and a sum of {@code T r} elements, {@code 5 (N - 1) T r / N} in all. */
    @Example
    void forward_adapterOnAttention_addsTheTrafficOfThePaper() throws IOException {
        int tokens = 6;
        int rank = 8;
        try (CausalModel whole = TinyModels.open("llama2", DType.F32)) {
            String settings = "{'r':8,'target_modules':['q_proj','k_proj','v_proj','o_proj']}";
            ServedAdapter adapter = ServedAdapter.of("a", TinyModels.adapter(whole, "lora", settings, 1));
            List<long[]> sequences = List.of(new long[tokens]);
            Rows rows = Rows.of(new int[] {tokens}, List.of(Blend.of(adapter)), null, null);
            Work<Double> base = (_, model, ranks) -> {
                logits(model, sequences, NO_ADAPTERS);
                return ranks.traffic();
            };
            Work<Double> adapted = (shard, model, ranks) -> {
                logits(model, sequences, cut(shard, DType.F32, rows));
                return ranks.traffic();
            };
            double without = together(whole, 2, base).getFirst();
            double with = together(whole, 2, adapted).getFirst();
            int layers = whole.blocks().size();
            assertThat((with - without) / layers).isEqualTo(5 * (2 - 1) * tokens * rank / 2.0);
            adapter.close();
        }
    }
}
