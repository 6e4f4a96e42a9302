package io.lorica.train;

/** Hears how a run goes; called on the training thread, so it must be quick. */
public interface TrainListener {

    TrainListener SILENT = new TrainListener() {};

    /**
     * One optimizer step.
     *
     * @param step from 1
     * @param loss mean negative log-likelihood of its targets, in nats
     * @param tokens tokens of the step, and {@code targets} those among them that were supervised
     */
    record Step(
            long step,
            long totalSteps,
            double loss,
            double learningRate,
            double gradientNorm,
            long tokens,
            long targets,
            double seconds) {}

    /** The method looked at so many examples before it starts. */
    default void calibrated(long examples) {}

    default void started(long totalSteps, long firstStep) {}

    default void step(Step step) {}

    /** Held-out loss after {@code step} steps (0: before training). */
    default void evaluated(long step, double loss) {}

    default void saved(java.nio.file.Path checkpoint) {}
}
