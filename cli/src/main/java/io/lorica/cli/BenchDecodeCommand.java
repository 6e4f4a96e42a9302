package io.lorica.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.lorica.bench.DecodeBench;
import io.lorica.model.ModelStore;
import io.lorica.tensor.LoricaException;
import io.lorica.train.report.Table;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code lorica bench decode}: one stream without an adapter, beside llama.cpp. */
@Command(
        name = "decode",
        header = "Time one stream's decoding on Lorica and on llama.cpp.",
        description =
                "Greedy tokens after a prompt of one, in turn with llama-bench on the same threads; medians of the"
                        + " rounds. Without --llama-bench, Lorica alone.",
        footer = {
            "",
            "Example: lorica bench decode --weights int4 --llama-bench llama-bench --gguf SmolLM2-135M-Instruct.Q4_1.gguf"
        })
final class BenchDecodeCommand implements Callable<Integer> {

    @Option(names = "--model", defaultValue = "smollm2-135m-instruct", description = "Base model.")
    @SuppressWarnings("NullAway.Init")
    String model;

    @Option(
            names = "--weights",
            split = ",",
            defaultValue = "dense,int8,int4",
            paramLabel = "FORMAT",
            description = "How Lorica holds the base, one after the other (default: ${DEFAULT-VALUE}).")
    @SuppressWarnings("NullAway.Init")
    List<String> weights;

    @Option(names = "--tokens", defaultValue = "128", description = "Of a round (default: ${DEFAULT-VALUE}).")
    int tokens;

    @Option(names = "--rounds", defaultValue = "5", description = "That count (default: ${DEFAULT-VALUE}).")
    int rounds;

    @Option(
            names = "--warm-up",
            defaultValue = "8",
            paramLabel = "ROUNDS",
            description = "Of Lorica before those that count (default: ${DEFAULT-VALUE}).")
    int warmUp;

    @Option(names = "--threads", defaultValue = "2", description = "Of each side (default: ${DEFAULT-VALUE}).")
    int threads;

    @Option(names = "--llama-bench", paramLabel = "FILE", description = "llama.cpp's llama-bench.")
    @Nullable
    Path llamaBench;

    @Option(names = "--gguf", paramLabel = "FILE", description = "The base for llama.cpp.")
    @Nullable
    Path gguf;

    @Option(names = "--json", description = "One JSON object.")
    boolean json;

    private final Console console;

    BenchDecodeCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        ModelStore store = ModelStore.standard(new FetchProgress(console));
        DecodeBench.Setup setup = new DecodeBench.Setup(model, weights, tokens, rounds, warmUp, threads, llama());
        List<DecodeBench.Result> results = DecodeBench.run(setup, store, console.err());
        if (json) {
            console.json(new ObjectMapper().createObjectNode().set("decode", new ObjectMapper().valueToTree(results)));
            return 0;
        }
        Table table = new Table("weights", "lorica, tokens/s", "llama.cpp, tokens/s", "ratio");
        for (DecodeBench.Result result : results) {
            table.row(
                    result.format(),
                    number("%.1f", result.lorica()),
                    number("%.1f", result.llama()),
                    number("%.2fx", result.lorica() / result.llama()));
        }
        console.print(table.text());
        return 0;
    }

    private DecodeBench.@Nullable Llama llama() {
        if (llamaBench == null) {
            return null;
        }
        if (gguf == null) {
            throw new LoricaException.BadInput("--gguf is missing; llama.cpp needs the base as such a file");
        }
        return new DecodeBench.Llama(llamaBench, gguf);
    }

    private static String number(String format, double value) {
        return Double.isNaN(value) ? "-" : String.format(Locale.ROOT, format, value);
    }
}
