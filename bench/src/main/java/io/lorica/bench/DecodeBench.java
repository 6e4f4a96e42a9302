package io.lorica.bench;

import io.lorica.model.Batch;
import io.lorica.model.CausalModel;
import io.lorica.model.KvCache;
import io.lorica.model.ModelStore;
import io.lorica.model.Pass;
import io.lorica.model.Pretrained;
import io.lorica.model.WeightFormat;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import io.lorica.tensor.Threads;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * How fast one stream decodes: tokens after a prompt of one, greedy, with no adapter, by formats of the weights, and the
 * same in llama.cpp's {@code llama-bench}. Both run in turn, so that what else the machine does hits both; Lorica's rounds
 * before those that count let the compiler finish.
 */
public final class DecodeBench {
    private DecodeBench() {}

    /**
     * @param formats of Lorica's weights, each for itself
     * @param tokens of a round
     * @param warmUp rounds of Lorica that do not count
     * @param llama null to run Lorica alone
     */
    public record Setup(
            String model,
            List<String> formats,
            int tokens,
            int rounds,
            int warmUp,
            int threads,
            @Nullable Llama llama) {}

    /**
     * llama.cpp.
     *
     * @param bench its {@code llama-bench}
     * @param gguf the base
     */
    public record Llama(Path bench, Path gguf) {}

    /**
     * Medians, in tokens a second.
     *
     * @param llama NaN where it did not run
     */
    public record Result(String format, double lorica, double llama) {}

    /** What llama-bench prints of a run. */
    private static final class Run extends LinkedHashMap<String, Object> {}

    /** Runs all formats. Progress goes to {@code log}. */
    public static List<Result> run(Setup setup, ModelStore store, PrintStream log) {
        require(setup);
        Threads.set(setup.threads());
        List<Result> results = new ArrayList<>();
        for (String format : setup.formats()) {
            try (Pretrained base = store.open(setup.model(), DType.BF16, WeightFormat.parse(format));
                    Grad _ = Grad.disabled()) {
                CausalModel model = base.causal();
                log.printf("%s: warming up …%n", format);
                for (int round = 0; round < setup.warmUp(); round++) {
                    tokensPerSecond(model, setup.tokens());
                }
                double[] own = new double[setup.rounds()];
                double[] peer = new double[setup.rounds()];
                for (int round = 0; round < setup.rounds(); round++) {
                    own[round] = tokensPerSecond(model, setup.tokens());
                    peer[round] = setup.llama() == null ? Double.NaN : tokensPerSecond(setup.llama(), setup);
                    log.printf(
                            Locale.ROOT,
                            "%s: round %d of %d: lorica %.1f, llama.cpp %.1f tokens/s%n",
                            format,
                            round + 1,
                            setup.rounds(),
                            own[round],
                            peer[round]);
                }
                results.add(new Result(format, median(own), median(peer)));
            }
        }
        return results;
    }

    /** Before any work starts. */
    private static void require(Setup setup) {
        setup.formats().forEach(WeightFormat::parse);
        if (setup.rounds() < 1 || setup.tokens() < 1) {
            throw new LoricaException.BadInput(
                    "--rounds " + setup.rounds() + " and --tokens " + setup.tokens() + ": both must be at least 1");
        }
        if (setup.llama() != null) {
            for (Path file : List.of(setup.llama().bench(), setup.llama().gguf())) {
                if (!Files.isRegularFile(file)) {
                    throw new LoricaException.NotFound(file + " is not there; llama.cpp needs it");
                }
            }
        }
    }

    private static double tokensPerSecond(CausalModel model, int tokens) {
        long began = System.nanoTime();
        try (KvCache cache = model.newCache(1)) {
            long[] next = {1};
            for (int i = 0; i < tokens; i++) {
                try (Scope _ = Scope.open()) {
                    Batch batch = Batch.of(List.of(next), cache);
                    next = new long[] {largest(Tensors.floats(model.nextLogits(batch, Pass.inference())))};
                }
            }
        }
        return tokens / ((System.nanoTime() - began) / 1e9);
    }

    private static int largest(float[] logits) {
        int best = 0;
        for (int i = 1; i < logits.length; i++) {
            best = logits[i] > logits[best] ? i : best;
        }
        return best;
    }

    private static double tokensPerSecond(Llama llama, Setup setup) {
        List<String> line = new ArrayList<>(
                List.of(llama.bench().toString(), "-m", llama.gguf().toString(), "-t", "" + setup.threads()));
        line.addAll(List.of("-p", "0", "-n", "" + setup.tokens(), "-r", "1", "-o", "jsonl"));
        return Child.run(line, Run.class).get("avg_ts") instanceof Number speed ? speed.doubleValue() : Double.NaN;
    }

    private static double median(double[] values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        return (sorted[(sorted.length - 1) / 2] + sorted[sorted.length / 2]) / 2;
    }
}
