package io.lorica.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Memory;
import io.lorica.train.report.MetricsLog;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Adapters trained together on one base ({@code lorica train --jobs}) against a process for each: side by side on the same
 * cores, and one after another. The claim of m-LoRA for two MixLoRA models is at least 41 % less memory and 17 % less time per
 * token.
 */
public final class JobsBench {
    private static final ObjectMapper JSON = new ObjectMapper();

    private JobsBench() {}

    /**
     * @param lorica the command line up to {@code train}
     * @param jobs how many adapters
     * @param settings of each, as {@code lorica train} takes them; the seed is the job's number
     * @param passTokens most tokens of a fused pass
     */
    public record Setup(List<String> lorica, String model, Path data, int jobs, ObjectNode settings, int passTokens) {}

    /**
     * One way to train all.
     *
     * @param peakBytes most memory of its processes, together where they run side by side
     * @param seconds of training, from the first step's beginning to the end
     */
    public record Way(String name, long peakBytes, double seconds, long tokens) {
        public double secondsPerToken() {
            return seconds / tokens;
        }
    }

    /** What a process held and said. */
    private record Ended(long peakBytes, JsonNode result) {}

    /** Runs all three ways. Progress goes to {@code log}, run directories to {@code directory}. */
    public static List<Way> run(Setup setup, Path directory, PrintStream log) throws IOException, InterruptedException {
        log.println("together …");
        Way together = together(setup, directory.resolve("together"));
        log.println("side by side …");
        Way sideBySide = apart(setup, directory.resolve("side"), true);
        log.println("one after another …");
        Way inTurn = apart(setup, directory.resolve("turn"), false);
        return List.of(together, sideBySide, inTurn);
    }

    private static Way together(Setup setup, Path directory) throws IOException, InterruptedException {
        ObjectNode file = JSON.createObjectNode().put("model", setup.model()).put("pass_tokens", setup.passTokens());
        file.set("defaults", setup.settings());
        for (int i = 0; i < setup.jobs(); i++) {
            file.withArray("jobs")
                    .addObject()
                    .put("name", "job" + i)
                    .put("data", setup.data().toString())
                    .put("out", directory.resolve("job" + i).toString())
                    .put("seed", i);
        }
        Files.createDirectories(directory);
        Path jobs = directory.resolve("jobs.yaml");
        Files.writeString(jobs, file.toString()); // JSON is YAML
        Ended ended = end(start(setup, List.of("train", "--jobs", jobs.toString(), "--json"), directory, "jobs"));
        double seconds = 0;
        long tokens = 0;
        for (JsonNode job : ended.result()) {
            seconds = Math.max(seconds, job.path("seconds").asDouble());
            tokens += job.path("tokens").asLong();
        }
        return new Way("together", ended.peakBytes(), seconds, tokens);
    }

    private static Way apart(Setup setup, Path directory, boolean sideBySide) throws IOException, InterruptedException {
        Files.createDirectories(directory);
        List<Running> running = new ArrayList<>();
        List<Ended> ended = new ArrayList<>();
        for (int i = 0; i < setup.jobs(); i++) {
            Path config = directory.resolve("job" + i + ".yaml");
            Files.writeString(config, setup.settings().deepCopy().put("seed", i).toString());
            Path out = directory.resolve("job" + i);
            List<String> arguments = List.of(
                    "train",
                    "--model=" + setup.model(),
                    "--data=" + setup.data(),
                    "--config=" + config,
                    "--out=" + out,
                    "--json");
            running.add(start(setup, arguments, directory, "job" + i));
            if (!sideBySide) {
                ended.add(end(running.getLast()));
            }
        }
        if (sideBySide) {
            ended.addAll(endAll(running));
        }
        long tokens = 0;
        for (int i = 0; i < setup.jobs(); i++) {
            tokens += MetricsLog.read(directory.resolve("job" + i).resolve("metrics.jsonl")).stream()
                    .mapToLong(line -> line.path("tokens").asLong())
                    .sum();
        }
        double[] seconds = ended.stream()
                .mapToDouble(each -> each.result().path("seconds").asDouble())
                .toArray();
        long[] peaks = ended.stream().mapToLong(Ended::peakBytes).toArray();
        return sideBySide
                ? new Way(
                        "side by side",
                        java.util.Arrays.stream(peaks).sum(),
                        java.util.Arrays.stream(seconds).max().orElse(0),
                        tokens)
                : new Way(
                        "one after another",
                        java.util.Arrays.stream(peaks).max().orElse(0),
                        java.util.Arrays.stream(seconds).sum(),
                        tokens);
    }

    private record Running(Process process, Path output, Path errors) {}

    private static Running start(Setup setup, List<String> arguments, Path directory, String name) throws IOException {
        List<String> command = new ArrayList<>(setup.lorica());
        command.addAll(arguments);
        Path output = directory.resolve(name + ".out");
        Path errors = directory.resolve(name + ".err");
        Process process = new ProcessBuilder(command)
                .redirectOutput(output.toFile())
                .redirectError(errors.toFile())
                .start();
        return new Running(process, output, errors);
    }

    private static Ended end(Running running) throws IOException, InterruptedException {
        return endAll(List.of(running)).getFirst();
    }

    /** Waits for all, looking at their peaks; what a process held at most is gone when it ends. */
    private static List<Ended> endAll(List<Running> all) throws IOException, InterruptedException {
        long[] peaks = new long[all.size()];
        boolean alive = true;
        while (alive) {
            alive = false;
            for (int i = 0; i < peaks.length; i++) {
                Process process = all.get(i).process();
                peaks[i] = Math.max(peaks[i], Memory.peak(process.pid()).orElse(0));
                alive |= !process.waitFor(50, TimeUnit.MILLISECONDS);
            }
        }
        List<Ended> ended = new ArrayList<>();
        for (int i = 0; i < peaks.length; i++) {
            Running running = all.get(i);
            if (running.process().exitValue() != 0) {
                throw new LoricaException.Internal("a training process ended with code "
                        + running.process().exitValue() + ": " + Child.lastLine(Files.readString(running.errors())));
            }
            String output = Files.readString(running.output(), StandardCharsets.UTF_8);
            ended.add(new Ended(peaks[i], JSON.readTree(output)));
        }
        return ended;
    }
}
