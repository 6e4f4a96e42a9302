package io.lorica.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.lorica.bench.ExpertsBench;
import io.lorica.model.ModelStore;
import io.lorica.train.report.Table;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code lorica bench experts}: what the number of experts costs. */
@Command(
        name = "experts",
        header = "Time a forward and backward pass of llava-mole with different numbers of experts, and of LoRA.",
        description = "One sequence of random tokens, all linear layers, float32; the median of the rounds counts.",
        footer = {"", "Example: lorica bench experts --model lorica-tiny --experts 1,2,4,8"})
final class BenchExpertsCommand implements Callable<Integer> {

    @Option(names = "--model", defaultValue = "smollm2-135m-instruct", description = "Base model.")
    @SuppressWarnings("NullAway.Init")
    String model;

    @Option(names = "--experts", defaultValue = "1,2,4,8", split = ",", description = "Numbers of experts to try.")
    @SuppressWarnings("NullAway.Init")
    List<Integer> experts;

    @Option(names = "--rank", defaultValue = "16", description = "Rank of LoRA and of an expert.")
    int rank;

    @Option(names = "--tokens", defaultValue = "512", description = "Tokens of the batch.")
    int tokens;

    @Option(names = "--rounds", defaultValue = "5", description = "Rounds in which all take turns.")
    int rounds;

    @Option(names = "--threads", defaultValue = "1", description = "Threads.")
    int threads;

    @Option(names = "--json", description = "One JSON object.")
    boolean json;

    private final Console console;

    BenchExpertsCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        List<ExpertsBench.Result> results = ExpertsBench.run(
                new ExpertsBench.Setup(model, experts, rank, tokens, rounds, threads),
                ModelStore.standard(new FetchProgress(console)));
        if (json) {
            console.json(new ObjectMapper().createObjectNode().set("experts", new ObjectMapper().valueToTree(results)));
            return 0;
        }
        Table table = new Table("experts", "seconds", "over LoRA", "trained numbers");
        double lora = results.getFirst().seconds();
        for (ExpertsBench.Result result : results) {
            table.row(
                    result.experts() == 0 ? "LoRA" : result.experts(),
                    String.format(Locale.ROOT, "%.3f", result.seconds()),
                    String.format(Locale.ROOT, "%.2fx", result.seconds() / lora),
                    result.trained());
        }
        console.print(table.text());
        return 0;
    }
}
