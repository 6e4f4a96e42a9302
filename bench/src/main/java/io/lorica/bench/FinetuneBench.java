package io.lorica.bench;

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

    private FinetuneBench() {}

    /**
     * @param model a Hugging Face directory, so that both sides read the same bytes
     * @param rounds how often each side runs
     */
    public record Setup(Path model, FinetuneJob job, int rounds, Peer peer) {}

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
        setup.peer().require();
        try {
            Path jobFile = Files.createTempFile("lorica-bench", ".json");
            try {
                setup.job().write(jobFile, setup.model());
                return run(setup, jobFile, log);
            } finally {
                Files.delete(jobFile);
            }
        } catch (IOException e) {
            throw new LoricaException.Internal("the benchmark could not write its job: " + e.getMessage(), e);
        }
    }

    private static Result run(Setup setup, Path jobFile, PrintStream log) {
        List<Run> lorica = new ArrayList<>();
        List<Run> peer = new ArrayList<>();
        for (int round = 0; round < setup.rounds(); round++) {
            log.printf("round %d of %d: lorica …%n", round + 1, setup.rounds());
            lorica.add(run(loricaCommand(setup.model(), jobFile), log));
            log.printf("round %d of %d: peft …%n", round + 1, setup.rounds());
            peer.add(run(setup.peer().command("--model=" + setup.model(), "--job=" + jobFile), log));
        }
        return result(setup.job(), lorica, peer);
    }

    private static List<String> loricaCommand(Path model, Path job) {
        List<String> command = new ArrayList<>();
        command.add(ProcessHandle.current().info().command().orElse("java"));
        command.addAll(java.lang.management.ManagementFactory.getRuntimeMXBean().getInputArguments());
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), FinetuneJob.class.getName()));
        command.addAll(List.of(model.toString(), job.toString()));
        return command;
    }

    private static Run run(List<String> command, PrintStream log) {
        Run run = Child.run(command, Run.class);
        log.printf(
                "  %d steps, last loss %.4f, first step after %.1f s%n",
                run.losses().length, run.losses()[run.losses().length - 1], run.firstStepSeconds());
        return run;
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
