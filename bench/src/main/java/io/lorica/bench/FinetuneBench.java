package io.lorica.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The same fine-tuning job on Lorica and on a peer, alternating, each run in a process of its own, on the same examples
 * in the same order, with the same first adapter values, precision, batch and threads.
 *
 * <p>What is compared: seconds per optimizer step after the first {@value #WARM_UP} (which build kernels for new
 * shapes), tokens per second of all and of supervised tokens, peak resident memory of the process, and seconds from
 * process start to the end of the first step. Every figure is the median over the rounds; the ratio is Lorica's advantage
 * (above 1: Lorica is faster or smaller).
 */
public final class FinetuneBench {
    private static final int WARM_UP = 2;
    private static final ObjectMapper JSON = new ObjectMapper();

    private FinetuneBench() {}

    /**
     * @param model a Hugging Face directory, so that both sides read the same bytes
     * @param rounds how often each side runs
     * @param python the peer's interpreter
     * @param script the peer's program
     */
    public record Setup(Path model, FinetuneJob job, int rounds, Path python, Path script) {}

    /** One side's run, as the child processes print it. */
    public record Run(double[] losses, double[] stepSeconds, double firstStepSeconds, long peakBytes) {

        private double tokensPerSecond(int[] tokensPerStep) {
            double seconds = 0;
            long tokens = 0;
            for (int i = Math.min(WARM_UP, stepSeconds.length - 1); i < stepSeconds.length; i++) {
                seconds += stepSeconds[i];
                tokens += tokensPerStep[i];
            }
            return tokens / seconds;
        }
    }

    /** Medians of both sides and the largest relative difference of their loss curves. */
    public record Result(Side lorica, Side peer, double lossDifference, double[] loricaLosses, double[] peerLosses) {}

    /** One side's medians over the rounds. */
    public record Side(
            double tokensPerSecond,
            double supervisedTokensPerSecond,
            double examplesPerSecond,
            double peakBytes,
            double firstStepSeconds) {}

    /** Runs all rounds. Progress goes to {@code log}. */
    public static Result run(Setup setup, PrintStream log) {
        requirePeer(setup);
        try {
            Path directory = Files.createTempDirectory("lorica-bench");
            Path jobFile = directory.resolve("job.json");
            setup.job().write(jobFile, setup.model());
            List<Run> lorica = new ArrayList<>();
            List<Run> peer = new ArrayList<>();
            for (int round = 0; round < setup.rounds(); round++) {
                log.printf("round %d of %d: lorica …%n", round + 1, setup.rounds());
                lorica.add(runChild(loricaCommand(setup.model(), jobFile), log));
                log.printf("round %d of %d: peft …%n", round + 1, setup.rounds());
                peer.add(runChild(peerCommand(setup, jobFile), log));
            }
            return result(setup.job(), lorica, peer);
        } catch (IOException e) {
            throw new LoricaException.Internal("the benchmark could not write its job: " + e.getMessage(), e);
        }
    }

    private static void requirePeer(Setup setup) {
        if (!Files.isRegularFile(setup.script())) {
            throw new LoricaException.NotFound("the peer's program " + setup.script()
                    + " is not there; run from the repository's root or give --peers DIR");
        }
        try {
            Process process = new ProcessBuilder(setup.python().toString(), "-c", "import torch, transformers, peft")
                    .redirectErrorStream(true)
                    .start();
            String output =
                    new String(process.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
            if (process.waitFor() != 0) {
                throw new LoricaException.NotFound(setup.python() + " cannot import the peer (" + lastLine(output)
                        + "); make it with: python3 -m venv .venv && .venv/bin/pip install -r bench/peers/requirements.txt,"
                        + " then give --python .venv/bin/python");
            }
        } catch (IOException e) {
            throw new LoricaException.NotFound(
                    "the peer's Python " + setup.python() + " does not start: " + e.getMessage() + "; give --python");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new LoricaException.Internal("interrupted while starting the peer");
        }
    }

    private static List<String> loricaCommand(Path model, Path job) {
        List<String> command = new ArrayList<>();
        command.add(ProcessHandle.current().info().command().orElse("java"));
        command.addAll(java.lang.management.ManagementFactory.getRuntimeMXBean().getInputArguments());
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), FinetuneJob.class.getName()));
        command.addAll(List.of(model.toString(), job.toString()));
        return command;
    }

    private static List<String> peerCommand(Setup setup, Path job) {
        return List.of(
                setup.python().toString(),
                setup.script().toString(),
                "--model",
                setup.model().toString(),
                "--job",
                job.toString());
    }

    private static Run runChild(List<String> command, PrintStream log) throws IOException {
        Path errors = Files.createTempFile("lorica-bench", ".err");
        Process process =
                new ProcessBuilder(command).redirectError(errors.toFile()).start();
        String output = new String(process.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
        try {
            int code = process.waitFor();
            if (code != 0) {
                throw new LoricaException.Internal(
                        command.getFirst() + " ended with code " + code + ": " + lastLine(Files.readString(errors)));
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
            throw new LoricaException.Internal("interrupted while a run was under way");
        }
        Run run = JSON.readValue(lastLine(output), Run.class);
        log.printf(
                "  %d steps, last loss %.4f, first step after %.1f s%n",
                run.losses().length, run.losses()[run.losses().length - 1], run.firstStepSeconds());
        return run;
    }

    private static String lastLine(String text) {
        return text.strip().lines().reduce((_, last) -> last).orElse("no output");
    }

    private static Result result(FinetuneJob job, List<Run> lorica, List<Run> peer) {
        double[] left = lorica.getFirst().losses();
        double[] right = peer.getFirst().losses();
        double difference = 0;
        for (int i = 0; i < left.length; i++) {
            difference = Math.max(difference, Math.abs(left[i] - right[i]) / Math.abs(right[i]));
        }
        return new Result(side(job, lorica), side(job, peer), difference, left, right);
    }

    private static Side side(FinetuneJob job, List<Run> runs) {
        int[] examples = new int[job.steps()];
        Arrays.fill(examples, job.batchSize());
        return new Side(
                median(runs.stream().mapToDouble(run -> run.tokensPerSecond(job.tokensPerStep(false)))),
                median(runs.stream().mapToDouble(run -> run.tokensPerSecond(job.tokensPerStep(true)))),
                median(runs.stream().mapToDouble(run -> run.tokensPerSecond(examples))),
                median(runs.stream().mapToDouble(Run::peakBytes)),
                median(runs.stream().mapToDouble(Run::firstStepSeconds)));
    }

    private static double median(java.util.stream.DoubleStream values) {
        double[] sorted = values.sorted().toArray();
        int middle = sorted.length / 2;
        return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }
}
