package io.lorica.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.bench.JobsBench;
import io.lorica.tensor.AtomicFile;
import io.lorica.tensor.LoricaException;
import io.lorica.train.report.Table;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code lorica bench jobs}: adapters trained together against a process for each. */
@Command(
        name = "jobs",
        header = "Train adapters together on one base, and each in a process of its own, and compare.",
        description =
                "The same jobs three ways: 'lorica train --jobs', one process each side by side, and one process each"
                        + " in turn. Settings are those of 'lorica train'; the first steps are not timed.",
        footer = {"", "Example: lorica bench jobs --data gsm8k/train.jsonl --set method=mixlora --set max_steps=16"})
final class BenchJobsCommand implements Callable<Integer> {

    @Option(names = "--model", defaultValue = "smollm2-135m-instruct", description = "Base model.")
    @SuppressWarnings("NullAway.Init")
    String model;

    @Option(names = "--data", required = true, paramLabel = "FILE", description = "Rows of every job.")
    @SuppressWarnings("NullAway.Init")
    Path data;

    @Option(names = "--jobs", defaultValue = "2", description = "How many (default: ${DEFAULT-VALUE}).")
    int jobs;

    @Option(
            names = "--pass-tokens",
            defaultValue = "1024",
            description = "Most tokens of a pass of several jobs (default: ${DEFAULT-VALUE}).")
    int passTokens;

    @Option(names = "--set", paramLabel = "KEY=VALUE", description = "A setting of every job.")
    List<String> set = List.of();

    @Option(names = "--json", description = "One JSON object.")
    boolean json;

    private final Console console;

    BenchJobsCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() throws IOException {
        if (jobs < 1) {
            throw new LoricaException.BadInput("--jobs is " + jobs + ", but must be at least 1");
        }
        ObjectNode settings = Settings.read(null, set);
        if (settings.path("max_steps").asInt(0) <= JobsBench.WARM_UP) {
            throw new LoricaException.BadInput(
                    "max_steps is " + settings.path("max_steps").asText("not set") + ", but the first "
                            + JobsBench.WARM_UP + " steps are not timed; set more, for example --set max_steps=16");
        }
        if (!settings.has("held_out")) {
            settings.put("held_out", 0);
        }
        JobsBench.Setup setup =
                new JobsBench.Setup(BenchOptions.lorica(), model, data.toAbsolutePath(), jobs, settings, passTokens);
        Path directory = Files.createTempDirectory("lorica-bench-jobs");
        try {
            show(JobsBench.run(setup, directory, console.err()));
            return 0;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new LoricaException.Internal("interrupted while a training process was running");
        } finally {
            AtomicFile.deleteTree(directory);
        }
    }

    private void show(List<JobsBench.Way> ways) {
        if (json) {
            console.json(new ObjectMapper().valueToTree(ways));
            return;
        }
        JobsBench.Way together = ways.getFirst();
        Table table = new Table("way", "peak, MiB", "less by", "ms/token", "less by", "all, s");
        for (JobsBench.Way way : ways) {
            table.row(
                    way.name(),
                    way.peakBytes() >> 20,
                    less((double) together.peakBytes(), (double) way.peakBytes()),
                    String.format(Locale.ROOT, "%.3f", 1000 * way.secondsPerToken()),
                    less(together.secondsPerToken(), way.secondsPerToken()),
                    String.format(Locale.ROOT, "%.0f", way.wallSeconds()));
        }
        console.print(table.text());
    }

    /** How much less the first is than the second. */
    private static String less(double own, double other) {
        return String.format(Locale.ROOT, "%.0f %%", 100 * (1 - own / other));
    }
}
