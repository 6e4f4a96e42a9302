package io.lorica.cli;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.lorica.train.report.Table;
import io.lorica.train.scenes.ConflictExperiment;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code lorica bench conflict}: two domains of instructions that contradict each other, in one adapter. */
@Command(
        name = "conflict",
        header = "Compare lora and llava-mole on two kinds of instruction that contradict each other.",
        description = {
            "Trains a small model that sees and reads (no pretrained encoders are used), freezes it, teaches plain LoRA each",
            "domain alone and both at once, and routed experts both, and prints the shares of right answers. No data is read:",
            "scenes are drawn from the seed."
        },
        footer = {"", "Example: lorica bench conflict --out conflict --seeds 0,1,2"})
final class BenchConflictCommand implements Callable<Integer> {

    @Mixin
    @SuppressWarnings("NullAway.Init")
    SceneRuns runs;

    @Option(
            names = "--tests",
            defaultValue = "400",
            description = "Questions of each domain that are asked afterwards (default: ${DEFAULT-VALUE}).")
    int tests;

    @Option(
            names = "--rank",
            defaultValue = "4",
            description = "Of LoRA and of each expert (default: ${DEFAULT-VALUE}).")
    int rank;

    private final Console console;

    BenchConflictCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        runs.print(
                console,
                JsonNodeFactory.instance.objectNode().put("rank", rank).put("tests", tests),
                (seed, directory, heard) -> new ConflictExperiment(
                                new ConflictExperiment.Settings(runs.pretrainSteps, runs.steps, rank, tests, seed))
                        .run(directory, heard),
                ConflictExperiment.Result::json,
                BenchConflictCommand::table);
        return 0;
    }

    private static Table table(String corner, List<ConflictExperiment.Result> results) {
        Table table = new Table(corner, "parameters", "plain", "shifted");
        results.forEach(result -> table.row(
                result.name(), result.parameters(), Units.percent(result.plain()), Units.percent(result.shifted())));
        return table;
    }
}
