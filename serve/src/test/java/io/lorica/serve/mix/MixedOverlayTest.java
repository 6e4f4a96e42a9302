package io.lorica.serve.mix;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.adapter.Adapter;
import io.lorica.adapter.AdapterStack;
import io.lorica.adapter.LoadOptions;
import io.lorica.adapter.MergeOptions;
import io.lorica.model.Batch;
import io.lorica.model.CausalModel;
import io.lorica.model.Pass;
import io.lorica.serve.TinyModels;
import io.lorica.serve.pool.PagePool;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.SafetensorsFile;
import io.lorica.tensor.Scope;
import io.lorica.tensor.TensorSource;
import io.lorica.tensor.Tensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;
import org.bytedeco.pytorch.Tensor;

/** One batch for everybody computes what everybody would get alone. */
class MixedOverlayTest {
    private static final String ALL =
            "'target_modules':['q_proj','k_proj','v_proj','o_proj','gate_proj','up_proj','down_proj']";
    private static final String SOME = "'target_modules':['q_proj','down_proj']";

    /** Method and settings; the ranks are S-LoRA's and small ones. */
    private static final List<String[]> KINDS = List.of(
            new String[] {"lora", "{'r':1,'lora_alpha':2," + ALL + "}"},
            new String[] {"lora", "{'r':8,'lora_alpha':16," + ALL + "}"},
            new String[] {"lora", "{'r':32,'lora_alpha':16," + SOME + "}"},
            new String[] {"rslora", "{'r':16,'lora_alpha':4," + ALL + "}"},
            new String[] {"olora", "{'r':4,'lora_alpha':4," + ALL + "}"},
            new String[] {"dora", "{'r':4,'lora_alpha':8," + ALL + "}"},
            new String[] {"vera", "{'r':8," + SOME + "}"},
            new String[] {"miss", "{'r':4," + SOME + "}"},
            new String[] {"loha", "{'r':4,'alpha':4," + ALL + "}"},
            new String[] {"lokr", "{'r':4,'alpha':4," + SOME + "}"},
            new String[] {"lora", "{'r':4,'modules_to_save':['embed_tokens','lm_head']," + SOME + "}"});

    /** A model with one of each kind, as it serves, and a copy of it for the slow route. */
    private record Bench(CausalModel model, CausalModel copy, List<ServedAdapter> served, AdapterStack stack) {
        static Bench of(DType dtype) {
            CausalModel model = TinyModels.open("llama2", dtype);
            CausalModel copy = TinyModels.open("llama2", dtype);
            List<ServedAdapter> served = new ArrayList<>();
            AdapterStack stack = new AdapterStack(copy);
            for (int i = 0; i < KINDS.size(); i++) {
                String[] kind = KINDS.get(i);
                served.add(ServedAdapter.of("a" + i, TinyModels.adapter(model, kind[0], kind[1], i)));
                stack.add("a" + i, TinyModels.adapter(copy, kind[0], kind[1], i));
            }
            MixedOverlay.attach(model);
            return new Bench(model, copy, served, stack);
        }

        void close() {
            MixedOverlay.detach(model);
            served.forEach(ServedAdapter::close);
            stack.close();
            model.close();
            copy.close();
        }

        /** A base request, one adapter, or two with weights that may cancel a part of each other. */
        Blend draw(Random random) {
            List<Blend.Part> parts = new ArrayList<>();
            int count = random.nextInt(3);
            for (int index :
                    random.ints(0, KINDS.size()).distinct().limit(count).toArray()) {
                parts.add(new Blend.Part(served.get(index), count == 1 ? 1 : 1.5 * random.nextDouble() - 0.5));
            }
            return new Blend(parts);
        }

        /** Logits of the last token of each sequence, all in one batch. */
        List<float[]> together(List<long[]> sequences, List<Blend> blends) {
            try (Scope _ = Scope.open();
                    Grad _ = Grad.disabled()) {
                Batch batch = Batch.of(sequences);
                Tensor hidden =
                        model.hidden(batch, Pass.inference().with(Rows.of(batch.lengths(), blends, null, null)));
                long[] last = new long[batch.size()];
                int[] ones = new int[batch.size()];
                Arrays.fill(ones, 1);
                int at = 0;
                for (int i = 0; i < last.length; i++) {
                    at += batch.lengths()[i];
                    last[i] = at - 1;
                }
                Tensor logits = model.head()
                        .forward(
                                hidden.index_select(0, Tensors.of(last)),
                                Pass.inference().with(Rows.of(ones, blends, null, null)));
                List<float[]> rows = new ArrayList<>();
                for (int i = 0; i < last.length; i++) {
                    rows.add(Tensors.floats(logits.select(0, i)));
                }
                return rows;
            }
        }

        /** The same for one sequence, with its adapters merged into the weights of the copy. */
        float[] merged(long[] sequence, Blend blend) {
            Map<String, Double> weights = new LinkedHashMap<>();
            blend.parts().forEach(part -> weights.put(part.adapter().name(), part.weight()));
            if (weights.isEmpty()) {
                return next(copy, sequence);
            }
            stack.merge(weights, MergeOptions.of(copy.dtype()).withTolerance(1.0));
            float[] logits = next(copy, sequence);
            stack.unmerge();
            stack.disable();
            return logits;
        }
    }

    private static float[] next(CausalModel model, long[] sequence) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            return Tensors.floats(model.nextLogits(Batch.of(List.of(sequence)), Pass.inference()));
        }
    }

    @SuppressWarnings("NullAway.Init")
    private static Bench f32;

    @SuppressWarnings("NullAway.Init")
    private static Bench bf16;

    @BeforeContainer
    static void open() {
        f32 = Bench.of(DType.F32);
        bf16 = Bench.of(DType.BF16);
    }

    @AfterContainer
    static void close() {
        f32.close();
        bf16.close();
    }

    /** A random mix of requests, with what each gets. */
    private record Mix(List<long[]> sequences, List<Blend> blends) {
        static Mix of(Bench bench, long seed) {
            Random random = new Random(seed);
            List<long[]> sequences = new ArrayList<>();
            List<Blend> blends = new ArrayList<>();
            for (int i = 0; i < 1 + random.nextInt(6); i++) {
                sequences.add(random.longs(1 + random.nextInt(30), 0, bench.model.vocabularySize())
                        .toArray());
                blends.add(bench.draw(random));
            }
            return new Mix(sequences, blends);
        }

        float[] together(Bench bench) {
            return joined(bench.together(sequences, blends));
        }

        float[] eachMerged(Bench bench) {
            List<float[]> rows = new ArrayList<>();
            for (int i = 0; i < sequences.size(); i++) {
                rows.add(bench.merged(sequences.get(i), blends.get(i)));
            }
            return joined(rows);
        }

        private static float[] joined(List<float[]> rows) {
            int width = rows.getFirst().length;
            float[] all = new float[rows.size() * width];
            for (int i = 0; i < rows.size(); i++) {
                System.arraycopy(rows.get(i), 0, all, i * width, width);
            }
            return all;
        }
    }

    /** Largest difference, relative to the largest element. */
    private static double difference(float[] left, float[] right) {
        double largest = 0;
        double size = 0;
        for (int i = 0; i < left.length; i++) {
            largest = Math.max(largest, Math.abs((double) left[i] - right[i]));
            size = Math.max(size, Math.abs(right[i]));
        }
        return largest / size;
    }

    /** Root of the mean square of the difference, relative to that of the exact values. */
    private static double error(float[] values, float[] exact) {
        double sum = 0;
        double size = 0;
        for (int i = 0; i < values.length; i++) {
            sum += Math.pow((double) values[i] - exact[i], 2);
            size += Math.pow(exact[i], 2);
        }
        return Math.sqrt(sum / size);
    }

    /** Folders that PEFT wrote, all in one batch: each sequence gets the logits that PEFT computed for it alone. */
    @Example
    void forward_foldersOfPeft_equalPeftsOwnLogits() throws IOException {
        CausalModel model = TinyModels.open("llama2", DType.F32);
        MixedOverlay.attach(model);
        List<ServedAdapter> served = new ArrayList<>();
        List<long[]> sequences = new ArrayList<>();
        List<float[]> wanted = new ArrayList<>();
        for (Path directory : peftFolders("llama2")) {
            try (Scope _ = Scope.open();
                    TensorSource expected = SafetensorsFile.open(directory.resolve("expected.safetensors"))) {
                Adapter adapter = Adapter.load(model, directory, LoadOptions.STRICT);
                served.add(ServedAdapter.of(directory.getFileName().toString(), adapter));
                sequences.add(Tensors.longs(expected.read("ids")));
                float[] logits = Tensors.floats(expected.read("adapted"));
                wanted.add(Arrays.copyOfRange(logits, logits.length - model.vocabularySize(), logits.length));
            }
        }
        assertThat(served).hasSizeGreaterThan(8);
        List<float[]> together = new Bench(model, model, served, new AdapterStack(model))
                .together(sequences, served.stream().map(Blend::of).toList());
        for (int i = 0; i < served.size(); i++) {
            assertThat(difference(together.get(i), wanted.get(i)))
                    .as(served.get(i).name())
                    .isLessThan(1e-5);
        }
        served.forEach(ServedAdapter::close);
        model.close();
    }

    /** Trained biases of two adapters, one of which needs its site's own output: each as a stack of its own computes it. */
    @Example
    void forward_trainedBiasesBesideOthers_equalsEachAlone() {
        CausalModel model = TinyModels.open("llama-biases", DType.F32);
        CausalModel copy = TinyModels.open("llama-biases", DType.F32);
        List<ServedAdapter> served = new ArrayList<>();
        AdapterStack stack = new AdapterStack(copy);
        List<String[]> kinds = List.of(
                new String[] {"lora", "{'r':4,'bias':'all'," + SOME + "}"},
                new String[] {"dora", "{'r':4,'bias':'lora_only'," + SOME + "}"},
                new String[] {"lora", "{'r':8," + ALL + "}"});
        for (int i = 0; i < kinds.size(); i++) {
            String[] kind = kinds.get(i);
            served.add(ServedAdapter.of("a" + i, TinyModels.adapter(model, kind[0], kind[1], i)));
            stack.add("a" + i, TinyModels.adapter(copy, kind[0], kind[1], i));
        }
        MixedOverlay.attach(model);
        Bench bench = new Bench(model, copy, served, stack);
        List<Blend> blends = new ArrayList<>(List.of(Blend.BASE));
        served.forEach(adapter -> blends.add(Blend.of(adapter)));
        List<long[]> sequences = IntStream.range(0, blends.size())
                .mapToObj(i ->
                        new Random(i).longs(2 + i, 0, model.vocabularySize()).toArray())
                .toList();
        List<float[]> together = bench.together(sequences, blends);
        for (int i = 0; i < blends.size(); i++) {
            Map<String, Double> weights = new LinkedHashMap<>();
            blends.get(i).parts().forEach(part -> weights.put(part.adapter().name(), part.weight()));
            stack.activate(weights);
            assertThat(difference(together.get(i), next(copy, sequences.get(i))))
                    .isLessThan(1e-5);
        }
        Blend both = new Blend(List.of(new Blend.Part(served.get(0), 1), new Blend.Part(served.get(1), 1)));
        assertThatThrownBy(both::requireNoConflict)
                .isInstanceOf(LoricaException.Incompatible.class)
                .hasMessageContaining("'a0' and 'a1' both replace");
        bench.close();
    }

    /** Routed adapters, alone and in a blend, beside a plain one and the base: each as a stack of its own computes it. */
    @Example
    void forward_routedBesideOthers_equalsEachAlone() {
        CausalModel model = TinyModels.open("llama2", DType.F32);
        CausalModel copy = TinyModels.open("llama2", DType.F32);
        List<ServedAdapter> served = new ArrayList<>();
        AdapterStack stack = new AdapterStack(copy);
        List<String[]> kinds = List.of(
                new String[] {"mixlora", "{'r':4,'num_experts':3,'lora_dropout':0.0," + ALL + "}"},
                new String[] {"mola", "{'r':4,'number_experts':3,'lora_dropout':0.0," + ALL + "}"},
                new String[] {"lora", "{'r':8,'lora_alpha':16," + ALL + "}"});
        for (int i = 0; i < kinds.size(); i++) {
            String[] kind = kinds.get(i);
            served.add(ServedAdapter.of("a" + i, TinyModels.adapter(model, kind[0], kind[1], i)));
            stack.add("a" + i, TinyModels.adapter(copy, kind[0], kind[1], i));
        }
        MixedOverlay.attach(model);
        Bench bench = new Bench(model, copy, served, stack);
        List<Blend> blends = List.of(
                Blend.of(served.get(0)),
                new Blend(List.of()),
                Blend.of(served.get(1)),
                Blend.of(served.get(2)),
                new Blend(List.of(new Blend.Part(served.get(0), 0.5), new Blend.Part(served.get(2), 1))),
                Blend.of(served.get(0)));
        List<long[]> sequences = IntStream.range(0, blends.size())
                .mapToObj(i ->
                        new Random(i).longs(3 + i, 0, model.vocabularySize()).toArray())
                .toList();
        List<float[]> together = bench.together(sequences, blends);
        for (int i = 0; i < blends.size(); i++) {
            Map<String, Double> weights = new LinkedHashMap<>();
            blends.get(i).parts().forEach(part -> weights.put(part.adapter().name(), part.weight()));
            stack.activate(weights);
            assertThat(difference(together.get(i), next(copy, sequences.get(i))))
                    .isLessThan(1e-5);
            assertThat(bench.together(List.of(sequences.get(i)), List.of(blends.get(i)))
                            .getFirst())
                    .usingComparatorWithPrecision(1e-4f)
                    .containsExactly(together.get(i));
        }
        bench.close();
    }

    private static List<Path> peftFolders(String base) throws IOException {
        List<Path> found = new ArrayList<>();
        try (Stream<Path> all = Files.list(TinyModels.peft(""))) {
            for (Path directory : all.sorted().toList()) {
                if (Files.readString(directory.resolve("base.txt")).strip().equals(base)) {
                    found.add(directory);
                }
            }
        }
        return found;
    }

    /** Whatever a blend is made of: with its weights merged the logits are the same, and the pages come back. */
    @Property(tries = 15)
    void forward_mergedBlend_equalsEachMergedAlone(@ForAll long seed) {
        Random random = new Random(seed);
        Blend blend = f32.draw(random);
        long[] sequence = random.longs(10, 0, f32.model.vocabularySize()).toArray();
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled();
                PagePool pool = new PagePool(4000, 1000, DType.F32)) {
            MergedBlend merged = new MergedBlend(f32.model, blend, pool);
            while (merged.mergeNext(0)) {}
            assertThat(merged.complete()).isTrue();
            assertThat(pool.used(PagePool.Use.MERGED) > 0)
                    .isEqualTo(!blend.parts().isEmpty());
            Rows rows = Rows.of(new int[] {10}, List.of(blend), null, merged);
            Tensor logits = f32.model.logits(
                    Batch.of(List.of(sequence)), Pass.inference().with(rows));
            assertThat(difference(Tensors.floats(logits.select(0, 9)), f32.merged(sequence, blend)))
                    .isLessThan(1e-5);
            merged.close();
            assertThat(pool.free()).isEqualTo(pool.pages());
        }
    }

    @Property(tries = 25)
    void forward_mixedBatchFloat32_equalsEachMergedAlone(@ForAll long seed) {
        Mix mix = Mix.of(f32, seed);
        assertThat(difference(mix.together(f32), mix.eachMerged(f32))).isLessThan(1e-5);
    }

    /**
     * A step of bfloat16 is 4e-3 of a value, so two routes to a logit may differ by more than 1e-3 though neither is
     * worse. Held against float32 over many mixes, the mixed batch is as exact as merging (which rounds the weights
     * once more).
     */
    @Example
    void forward_mixedBatchesBfloat16_areAsExactAsMerging() {
        double mixed = 0;
        double merged = 0;
        for (int seed = 0; seed < 16; seed++) {
            float[] truth = Mix.of(f32, seed).eachMerged(f32);
            Mix mix = Mix.of(bf16, seed);
            mixed += error(mix.together(bf16), truth);
            merged += error(mix.eachMerged(bf16), truth);
        }
        assertThat(mixed).isLessThan(1.1 * merged);
    }
}
