package io.lorica.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.lorica.bench.StartBench;
import io.lorica.model.ModelStore;
import io.lorica.tensor.DType;
import io.lorica.train.report.Table;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code lorica bench start}: how long a PiSSA adapter takes to begin, beside PEFT. */
@Command(
        name = "start",
        header = "Time PiSSA's decompositions on Lorica and on PEFT.",
        description = "A fresh adapter on all linear layers of a float32 model; the fastest of the rounds counts. The"
                + " peer needs a Python with bench/peers/requirements.txt installed.",
        footer = {"", "Example: lorica bench start --python .venv/bin/python"})
final class BenchStartCommand implements Callable<Integer> {

    @Option(names = "--model", defaultValue = "smollm2-135m-instruct", description = "Base model.")
    @SuppressWarnings("NullAway.Init")
    String model;

    @Option(
            names = "--starts",
            defaultValue = "pissa,pissa_niter_4",
            split = ",",
            description = "Values of init_lora_weights.")
    @SuppressWarnings("NullAway.Init")
    List<String> starts;

    @Option(names = "--rank", defaultValue = "16", description = "Rank on all linear layers.")
    int rank;

    @Option(names = "--rounds", defaultValue = "3", description = "Runs of each side.")
    int rounds;

    @Option(names = "--threads", defaultValue = "1", description = "Threads of each side.")
    int threads;

    @Option(names = "--python", defaultValue = "python3", description = "The peer's interpreter.")
    @SuppressWarnings("NullAway.Init")
    Path python;

    @Option(names = "--peers", defaultValue = "bench/peers", description = "Folder of the peer programs.")
    @SuppressWarnings("NullAway.Init")
    Path peers;

    @Option(names = "--json", description = "One JSON object.")
    boolean json;

    private final Console console;

    BenchStartCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() throws IOException {
        ModelStore store = ModelStore.standard(new FetchProgress(console));
        Path directory = Files.createTempDirectory("lorica-bench-model").resolve("model");
        store.export(model, directory, DType.F32);
        StartBench.Setup setup =
                new StartBench.Setup(directory, starts, rank, rounds, threads, python, peers.resolve("start_peft.py"));
        List<StartBench.Result> results = StartBench.run(setup, store, console.err());
        if (json) {
            console.json(new ObjectMapper().createObjectNode().set("starts", new ObjectMapper().valueToTree(results)));
            return 0;
        }
        Table table = new Table("start", "lorica, s", "peft, s", "ratio");
        for (StartBench.Result result : results) {
            table.row(
                    result.start(),
                    String.format(Locale.ROOT, "%.2f", result.lorica()),
                    String.format(Locale.ROOT, "%.2f", result.peer()),
                    String.format(Locale.ROOT, "%.2fx", result.peer() / result.lorica()));
        }
        console.print(table.text());
        return 0;
    }
}
