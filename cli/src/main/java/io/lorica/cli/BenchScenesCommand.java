package io.lorica.cli;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.lorica.train.report.Table;
import io.lorica.train.scenes.ScenesExperiment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
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

    @Mixin
    @SuppressWarnings("NullAway.Init")
    SceneRuns runs;

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

    private final Console console;

    BenchScenesCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        runs.print(
                console,
                JsonNodeFactory.instance.objectNode().put("tests", tests),
                (seed, directory, heard) -> new ScenesExperiment(
                                new ScenesExperiment.Settings(runs.pretrainSteps, runs.steps, tests, only, seed))
                        .run(directory, heard),
                ScenesExperiment.Result::json,
                BenchScenesCommand::table);
        return 0;
    }

    private static Table table(String corner, List<ScenesExperiment.Result> results) {
        List<String> head = new ArrayList<>(List.of(corner, "parameters", "shown"));
        head.addAll(results.getFirst().shown().keySet());
        head.add("told");
        Table table = new Table(head.toArray(String[]::new));
        for (ScenesExperiment.Result result : results) {
            List<Object> row =
                    new ArrayList<>(List.of(result.name(), result.parameters(), Units.percent(result.seen())));
            result.shown().values().forEach(share -> row.add(Units.percent(share)));
            row.add(Units.percent(result.told()));
            table.row(row.toArray());
        }
        return table;
    }
}
