package io.lorica.adapter;

import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.SafetensorsFile;
import io.lorica.tensor.Scope;
import io.lorica.tensor.TensorSource;
import io.lorica.tensor.Tensors;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.TreeSet;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.Tensor;

/**
 * What an adapter computed when its training ended, so that every later load can be held to it: for a few prompts the
 * logits of the last position (a classifier's scores), with the adapter and of the base alone. Of long rows only a part
 * is kept: the largest logits and some spread evenly.
 *
 * @param dtype the type the base computed in
 */
public record SelfTest(DType dtype, List<Case> cases) {

    /** Name of the file in an adapter's directory. */
    public static final String FILE = "selftest.safetensors";

    private static final int LARGEST = 32;
    private static final int SPREAD = 224;

    /**
     * One prompt.
     *
     * @param indices positions in the row of logits that are kept
     */
    public record Case(long[] tokens, long[] indices, float[] base, float[] adapted) {}

    /**
     * What a replay found.
     *
     * @param baseDifference largest difference of the base's logits from the recorded ones
     * @param adaptedDifference the same for the adapted model
     * @param effect largest difference between the adapted model and the base now
     * @param recordedEffect the same when it was recorded
     * @param allowed largest difference that counts as agreement
     */
    public record Result(
            double baseDifference, double adaptedDifference, double effect, double recordedEffect, double allowed) {

        public boolean passed() {
            return baseDifference <= allowed && adaptedDifference <= allowed;
        }

        @Override
        public String toString() {
            return String.format(
                    Locale.ROOT,
                    "adapted logits differ from training's by %.3g, the base's by %.3g (allowed %.3g); the adapter "
                            + "changes logits by %.3g (%.3g in training)",
                    adaptedDifference,
                    baseDifference,
                    allowed,
                    effect,
                    recordedEffect);
        }
    }

    public SelfTest {
        cases = List.copyOf(cases);
    }

    /**
     * Records what an adapter computes now. What was active before is active again afterwards.
     *
     * @param prompts token ids; empty for a few drawn from the vocabulary
     */
    public static SelfTest record(AdapterStack stack, String name, List<long[]> prompts) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Probe probe = Probe.of(stack.model(), prompts);
            Rows rows = Rows.of(stack, name, probe);
            List<Case> cases = new ArrayList<>();
            for (int i = 0; i < probe.prompts().size(); i++) {
                Tensor adapted = rows.adapted().get(i);
                long[] kept = kept(adapted);
                Tensor indices = Tensors.of(kept);
                cases.add(new Case(
                        probe.prompts().get(i),
                        kept,
                        Tensors.floats(rows.base().get(i).index_select(0, indices)),
                        Tensors.floats(adapted.index_select(0, indices))));
            }
            return new SelfTest(stack.model().dtype(), cases);
        }
    }

    /** Computes the same again and compares. */
    public Result replay(AdapterStack stack, String name) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Probe probe =
                    new Probe(stack.model(), cases.stream().map(Case::tokens).toList());
            Rows rows = Rows.of(stack, name, probe);
            double base = 0;
            double adapted = 0;
            double recordedEffect = 0;
            double largest = 0;
            for (int i = 0; i < cases.size(); i++) {
                Case recorded = cases.get(i);
                Tensor indices = Tensors.of(recorded.indices());
                requireWidth(rows.base().get(i), recorded);
                Tensor wantedBase = Tensors.of(recorded.base(), recorded.base().length);
                Tensor wantedAdapted = Tensors.of(recorded.adapted(), recorded.adapted().length);
                base = Math.max(base, Tensors.maxDifference(rows.base().get(i).index_select(0, indices), wantedBase));
                adapted = Math.max(
                        adapted, Tensors.maxDifference(rows.adapted().get(i).index_select(0, indices), wantedAdapted));
                recordedEffect = Math.max(recordedEffect, Tensors.maxDifference(wantedBase, wantedAdapted));
                largest = Math.max(largest, wantedAdapted.abs().max().item_double());
            }
            double allowed = Math.max(tolerance(dtype), tolerance(stack.model().dtype())) * largest;
            return new Result(base, adapted, Probe.difference(rows.base(), rows.adapted()), recordedEffect, allowed);
        }
    }

    /** Allowed difference as a fraction of the largest logit: 1e-3 for float32, 2e-2 for float16, 5e-2 for bfloat16. */
    public static double tolerance(DType dtype) {
        return switch (dtype) {
            case F32, F64 -> 1e-3;
            case F16 -> 2e-2;
            default -> 5e-2;
        };
    }

    public void write(Path directory) {
        try (Scope _ = Scope.open()) {
            SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
            for (int i = 0; i < cases.size(); i++) {
                Case recorded = cases.get(i);
                tensors.put("tokens." + i, Tensors.of(recorded.tokens()));
                tensors.put("indices." + i, Tensors.of(recorded.indices()));
                tensors.put("base." + i, Tensors.of(recorded.base(), recorded.base().length));
                tensors.put("adapted." + i, Tensors.of(recorded.adapted(), recorded.adapted().length));
            }
            SafetensorsFile.write(directory.resolve(FILE), tensors, Map.of("dtype", dtype.name()));
        }
    }

    /** Empty where the adapter has none, as those that PEFT wrote. */
    public static Optional<SelfTest> read(Path directory) {
        Path file = directory.resolve(FILE);
        if (!Files.isRegularFile(file)) {
            return Optional.empty();
        }
        try (Scope _ = Scope.open();
                TensorSource source = SafetensorsFile.open(file)) {
            List<Case> cases = new ArrayList<>();
            for (int i = 0; source.names().contains("tokens." + i); i++) {
                cases.add(new Case(
                        Tensors.longs(source.read("tokens." + i)),
                        Tensors.longs(source.read("indices." + i)),
                        Tensors.floats(source.read("base." + i)),
                        Tensors.floats(source.read("adapted." + i))));
            }
            String dtype = source.metadata().get("dtype");
            if (cases.isEmpty() || dtype == null) {
                throw new LoricaException.BadInput(
                        file + ": holds no self-test (tensors tokens.0 … and metadata dtype); restore the file");
            }
            return Optional.of(new SelfTest(DType.fromSafetensors(dtype), cases));
        }
    }

    private static void requireWidth(Tensor row, Case recorded) {
        long highest = LongStream.of(recorded.indices()).max().orElse(0);
        if (highest >= row.numel()) {
            throw new LoricaException.Incompatible("self-test: this base gives " + row.numel() + " logits, but logit "
                    + highest + " was recorded; it is another base");
        }
    }

    private static long[] kept(Tensor row) {
        long width = row.numel();
        TreeSet<Long> indices = new TreeSet<>();
        long[] order = Tensors.longs(row.argsort(-1, true));
        for (int i = 0; i < Math.min(LARGEST, width); i++) {
            indices.add(order[i]);
        }
        for (int i = 0; i < SPREAD; i++) {
            indices.add(i * width / SPREAD);
        }
        return indices.stream().mapToLong(Long::longValue).toArray();
    }

    /** The rows of the base alone and of one adapter. */
    private record Rows(List<Tensor> base, List<Tensor> adapted) {
        static Rows of(AdapterStack stack, String name, Probe probe) {
            Map<String, Double> before = new LinkedHashMap<>(stack.active());
            try {
                stack.disable();
                List<Tensor> base = probe.run();
                stack.activate(name);
                return new Rows(base, probe.run());
            } finally {
                stack.activate(before);
            }
        }
    }
}
