package io.lorica.bench;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.Adapter;
import io.lorica.adapter.AdapterConfig;
import io.lorica.model.BaseModel;
import io.lorica.model.ModelStore;
import io.lorica.model.Pretrained;
import io.lorica.tensor.DType;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Threads;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** How long a fresh PiSSA adapter takes on all linear layers of a float32 model, here and in PEFT, on equally many threads. */
public final class StartBench {
    private StartBench() {}

    /**
     * @param model a Hugging Face directory, so that both sides read the same bytes
     * @param starts values of {@code init_lora_weights}
     * @param rounds of which the fastest counts
     */
    public record Setup(Path model, List<String> starts, int rank, int rounds, int threads, Peer peer) {}

    /** What the peer's program prints: seconds of its rounds by start. */
    private static final class Rounds extends LinkedHashMap<String, double[]> {}

    /** Seconds of the fastest round. */
    public record Result(String start, double lorica, double peer) {}

    /** Runs both sides, one after the other. Progress goes to {@code log}. */
    public static List<Result> run(Setup setup, ModelStore store, PrintStream log) {
        log.println("peft …");
        Map<String, double[]> peer = peer(setup);
        log.println("lorica …");
        Threads.set(setup.threads());
        List<Result> results = new ArrayList<>();
        try (Pretrained base = store.open(setup.model().toString(), DType.F32)) {
            lorica(base.model(), setup.starts().getLast(), setup, 1); // loads native libraries, maps the weights
            for (String start : setup.starts()) {
                double own = lorica(base.model(), start, setup, setup.rounds());
                results.add(new Result(start, own, fastest(peer.getOrDefault(start, new double[0]))));
            }
        }
        return results;
    }

    private static double lorica(BaseModel model, String start, Setup setup, int rounds) {
        ObjectNode settings = JsonNodeFactory.instance
                .objectNode()
                .put("r", setup.rank())
                .put("lora_alpha", setup.rank())
                .put("target_modules", "all-linear")
                .put("init_lora_weights", start);
        AdapterConfig config = AdapterConfig.of("pissa", settings);
        double[] seconds = new double[rounds];
        for (int round = 0; round < rounds; round++) {
            long began = System.nanoTime();
            Adapter.create(model, config, new Seed(round)).close();
            seconds[round] = (System.nanoTime() - began) / 1e9;
        }
        return fastest(seconds);
    }

    private static Map<String, double[]> peer(Setup setup) {
        setup.peer().require();
        return Child.run(
                setup.peer()
                        .command(
                                "--model=" + setup.model(),
                                "--starts=" + String.join(",", setup.starts()),
                                "--rank=" + setup.rank(),
                                "--rounds=" + setup.rounds(),
                                "--threads=" + setup.threads()),
                Rounds.class);
    }

    private static double fastest(double[] seconds) {
        return java.util.Arrays.stream(seconds).min().orElse(Double.NaN);
    }
}
