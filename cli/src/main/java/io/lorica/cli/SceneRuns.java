package io.lorica.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.Threads;
import io.lorica.train.report.Table;
import io.lorica.train.scenes.ScenesExperiment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import picocli.CommandLine.Option;

/** What experiments with drawn scenes share: their options, and a run for each seed. */
final class SceneRuns {

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
            names = "--seeds",
            split = ",",
            defaultValue = "0",
            description = "Of all that is random, a run each (default: ${DEFAULT-VALUE}).")
    List<Long> seeds = new ArrayList<>();

    @Option(names = "--threads", defaultValue = "1", description = "Of libtorch (default: ${DEFAULT-VALUE}).")
    int threads;

    @Option(names = "--json", description = "One JSON object instead of tables.")
    boolean json;

    /** An experiment with one seed. */
    @FunctionalInterface
    interface Experiment<R> {
        List<R> run(long seed, Path directory, ScenesExperiment.Steps heard);
    }

    /**
     * Runs an experiment with each seed and prints what it found.
     *
     * @param document gets the settings they share and, by seed, the results
     * @param table of a seed's results; its first heading is given
     */
    <R> void print(
            Console console,
            ObjectNode document,
            Experiment<R> experiment,
            Function<R, JsonNode> result,
            Tabulation<R> table) {
        Threads.set(threads);
        document.put("pretrain_steps", pretrainSteps).put("steps", steps);
        for (long seed : seeds) {
            List<R> results = experiment.run(seed, out.resolve("seed-" + seed), (part, step, all, loss) -> {
                if (step % 100 == 0 || step == all) {
                    console.note("seed %d, %s: step %d of %d, loss %.3f".formatted(seed, part, step, all, loss));
                }
            });
            var list = document.withObject("/seeds").putArray(Long.toString(seed));
            results.forEach(one -> list.add(result.apply(one)));
            if (!json) {
                console.print(table.of("seed " + seed, results).text());
            }
        }
        if (json) {
            console.json(document);
        }
    }

    /** Results as a table. */
    @FunctionalInterface
    interface Tabulation<R> {
        Table of(String corner, List<R> results);
    }
}
