package io.lorica.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Memory;
import io.lorica.train.report.MetricsLog;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;

/**
 * Adapters trained together on one base ({@code lorica train --jobs}) against a process for each: side by side on the same
 * cores, and one after another. Side by side the cores are shared out among the processes. The claim of m-LoRA for two MixLoRA models is at least 41 % less memory and 17 % less time per
 * token.
 */
public final class JobsBench {
    /** First steps of a run that are not timed: code is compiled, memory is taken from the system. */
    public static final int WARM_UP = 4;

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
     * @param stepSeconds of the steps after the first {@link #WARM_UP}
     * @param stepTokens of these steps
     * @param wallSeconds from the start of the first process to the end of the last
     */
    public record Way(String name, long peakBytes, double stepSeconds, long stepTokens, double wallSeconds) {
        public double secondsPerToken() {
            return stepSeconds / stepTokens;
        }
    }

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
        long began = System.nanoTime();
        long peak = endAll(List.of(
                start(setup, cores(), List.of("train", "--jobs", jobs.toString(), "--json"), directory, "jobs")))[0];
        double wall = (System.nanoTime() - began) / 1e9;
        return way("together", peak, Steps.of(setup, directory), Steps::together, wall);
    }

    private static Way apart(Setup setup, Path directory, boolean sideBySide) throws IOException, InterruptedException {
        Files.createDirectories(directory);
        int threads = sideBySide ? Math.max(1, cores() / setup.jobs()) : cores();
        List<Running> running = new ArrayList<>();
        long peak = 0;
        long began = System.nanoTime();
        for (int i = 0; i < setup.jobs(); i++) {
            Path config = directory.resolve("job" + i + ".yaml");
            Files.writeString(config, setup.settings().deepCopy().put("seed", i).toString());
            List<String> arguments = List.of(
                    "train",
                    "--model=" + setup.model(),
                    "--data=" + setup.data(),
                    "--config=" + config,
                    "--out=" + directory.resolve("job" + i),
                    "--json");
            running.add(start(setup, threads, arguments, directory, "job" + i));
            if (!sideBySide) {
                peak = Math.max(peak, endAll(List.of(running.getLast()))[0]);
            }
        }
        if (sideBySide) {
            peak = Arrays.stream(endAll(running)).sum();
        }
        double wall = (System.nanoTime() - began) / 1e9;
        List<Steps> steps = Steps.of(setup, directory);
        return sideBySide
                ? way("side by side", peak, steps, Steps::longest, wall)
                : way("one after another", peak, steps, Steps::inTurn, wall);
    }

    private static int cores() {
        return Runtime.getRuntime().availableProcessors();
    }

    private static Way way(
            String name, long peak, List<Steps> steps, ToDoubleFunction<List<Steps>> seconds, double wall) {
        long tokens = steps.stream().mapToLong(Steps::tokens).sum();
        return new Way(name, peak, seconds.applyAsDouble(steps), tokens, wall);
    }

    /**
     * The steps of one job after the first ones.
     *
     * @param seconds of each
     */
    private record Steps(double[] seconds, long tokens) {

        static List<Steps> of(Setup setup, Path directory) {
            return IntStream.range(0, setup.jobs())
                    .mapToObj(i -> read(directory.resolve("job" + i)))
                    .toList();
        }

        private static Steps read(Path run) {
            List<? extends JsonNode> lines = MetricsLog.read(run.resolve("metrics.jsonl")).stream()
                    .skip(WARM_UP)
                    .toList();
            return new Steps(
                    lines.stream()
                            .mapToDouble(line -> line.path("tokens").asDouble()
                                    / line.path("tokens_per_second").asDouble())
                            .toArray(),
                    lines.stream()
                            .mapToLong(line -> line.path("tokens").asLong())
                            .sum());
        }

        private double sum() {
            return Arrays.stream(seconds).sum();
        }

        /** The jobs take each step together. */
        static double together(List<Steps> jobs) {
            return IntStream.range(0, jobs.getFirst().seconds().length)
                    .mapToDouble(step -> jobs.stream()
                            .mapToDouble(job -> job.seconds()[step])
                            .max()
                            .orElse(0))
                    .sum();
        }

        static double longest(List<Steps> jobs) {
            return jobs.stream().mapToDouble(Steps::sum).max().orElse(0);
        }

        static double inTurn(List<Steps> jobs) {
            return jobs.stream().mapToDouble(Steps::sum).sum();
        }
    }

    private record Running(Process process, Path errors) {}

    private static Running start(Setup setup, int threads, List<String> arguments, Path directory, String name)
            throws IOException {
        List<String> command = new ArrayList<>(setup.lorica());
        command.addAll(arguments);
        Path errors = directory.resolve(name + ".err");
        ProcessBuilder builder = new ProcessBuilder(command)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(errors.toFile());
        builder.environment().put("OMP_NUM_THREADS", Integer.toString(threads));
        return new Running(builder.start(), errors);
    }

    /** Waits for all and returns their peaks: what a process held at most is gone when it ends. */
    private static long[] endAll(List<Running> all) throws IOException, InterruptedException {
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
        for (Running running : all) {
            if (running.process().exitValue() != 0) {
                throw new LoricaException.Internal("a training process ended with code "
                        + running.process().exitValue() + ": " + Child.lastLine(Files.readString(running.errors())));
            }
        }
        return peaks;
    }
}
