package io.lorica.cli;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.Threads;
import io.lorica.train.report.Table;
import io.lorica.train.scenes.ScenesExperiment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code lorica bench scenes}: LoRA against both halves of Arcana. */
@Command(
        name = "scenes",
        header = "Compare lora, mm-lora and qladder on questions about drawn scenes.",
        description = {
            "Trains a small model that sees and reads (no pretrained encoders are used), freezes it, adapts it by each",
            "method to pictures and to new questions about words, and prints the shares of right answers. No data is read:",
            "scenes are drawn from the seed."
        },
        footer = {"", "Example: lorica bench scenes --out scenes"})
final class BenchScenesCommand implements Callable<Integer> {

    @Option(names = "--out", required = true, paramLabel = "DIR", description = "Directory of the models.")
    @SuppressWarnings("NullAway.Init")
    Path out;

    @Option(
            names = "--pretrain-steps",
            defaultValue = "600",
            description = "Steps of the small model (default: ${DEFAULT-VALUE}).")
    int pretrainSteps;

    @Option(names = "--steps", defaultValue = "400", description = "Steps of each adapter (default: ${DEFAULT-VALUE}).")
    int steps;

    @Option(
            names = "--tests",
            defaultValue = "200",
            description = "Questions of each kind that are asked afterwards (default: ${DEFAULT-VALUE}).")
    int tests;

    @Option(
            names = "--only",
            split = ",",
            paramLabel = "NAME",
            description = "Compare these alone, as the table names them (default: all).")
    List<String> only = new ArrayList<>();

    @Option(
            names = "--seeds",
            split = ",",
            defaultValue = "0",
            description = "Of all that is random, a run each (default: ${DEFAULT-VALUE}).")
    List<Long> seeds = new ArrayList<>();

    @Option(names = "--threads", defaultValue = "1", description = "Of libtorch (default: ${DEFAULT-VALUE}).")
    int threads;

    @Option(names = "--json", description = "One JSON object instead of tables.")
    boolean json;

    private final Console console;

    BenchScenesCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        Threads.set(threads);
        ObjectNode document = JsonNodeFactory.instance.objectNode();
        document.put("pretrain_steps", pretrainSteps).put("steps", steps).put("tests", tests);
        for (long seed : seeds) {
            List<ScenesExperiment.Result> results = new ScenesExperiment(
                            new ScenesExperiment.Settings(pretrainSteps, steps, tests, only, seed))
                    .run(out.resolve("seed-" + seed), (part, step, all, loss) -> {
                        if (step % 100 == 0 || step == all) {
                            console.note(
                                    "seed %d, %s: step %d of %d, loss %.3f".formatted(seed, part, step, all, loss));
                        }
                    });
            var list = document.withObject("/seeds").putArray(Long.toString(seed));
            results.forEach(result -> list.add(result.json()));
            if (!json) {
                console.print(table(seed, results).text());
            }
        }
        if (json) {
            console.json(document);
        }
        return 0;
    }

    private static Table table(long seed, List<ScenesExperiment.Result> results) {
        List<String> head = new ArrayList<>(List.of("seed " + seed, "parameters", "shown"));
        head.addAll(results.getFirst().shown().keySet());
        head.add("told");
        Table table = new Table(head.toArray(String[]::new));
        for (ScenesExperiment.Result result : results) {
            List<Object> row = new ArrayList<>(List.of(result.name(), result.parameters(), percent(result.seen())));
            result.shown().values().forEach(share -> row.add(percent(share)));
            row.add(percent(result.told()));
            table.row(row.toArray());
        }
        return table;
    }

    private static String percent(double share) {
        return String.format(Locale.ROOT, "%.1f %%", 100 * share);
    }
}
