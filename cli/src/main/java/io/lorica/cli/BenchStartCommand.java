package io.lorica.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.lorica.bench.StartBench;
import io.lorica.model.ModelStore;
import io.lorica.tensor.DType;
import io.lorica.train.report.Table;
import java.io.IOException;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code lorica bench start}: how long a PiSSA adapter takes to begin, beside PEFT. */
@Command(
        name = "start",
        header = "Time PiSSA's decompositions on Lorica and on PEFT.",
        description = "A fresh adapter on all linear layers of a float32 model; the fastest of the rounds counts. The"
                + " peer needs a Python with bench/peers/requirements.txt installed.",
        footer = {"", "Example: lorica bench start --python .venv/bin/python"})
final class BenchStartCommand implements Callable<Integer> {

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

    @Mixin
    @SuppressWarnings("NullAway.Init")
    BenchOptions options;

    private final Console console;

    BenchStartCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() throws IOException {
        ModelStore store = ModelStore.standard(new FetchProgress(console));
        List<StartBench.Result> results = options.onExported(
                store,
                DType.F32,
                model -> StartBench.run(
                        new StartBench.Setup(model, starts, rank, rounds, threads, options.peer("start_peft.py")),
                        store,
                        console.err()));
        if (options.json) {
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
