package io.lorica.cli;

import io.lorica.train.TrainListener;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** Shows a training run: loss, tokens per second and the time left. */
final class TrainProgress implements TrainListener, AutoCloseable {
    private static final long NOTE_NANOS = 2_000_000_000L;

    private final Console console;
    private final String task;
    private @Nullable Progress progress;
    private long firstStep;
    private long tokens;
    private long lastNote = System.nanoTime();
    private double seconds;

    TrainProgress(Console console, String task) {
        this.console = console;
        this.task = task;
    }

    /** A line every few seconds, since a method may stop before it has seen all. */
    @Override
    public void calibrated(long examples) {
        if (System.nanoTime() - lastNote > NOTE_NANOS) {
            lastNote = System.nanoTime();
            console.note("the method looks at the data it starts from: %d examples".formatted(examples));
        }
    }

    @Override
    public void started(long totalSteps, long first) {
        firstStep = first;
        if (first > 0) {
            console.note("going on after step " + first);
        }
        progress = new Progress(console, task, totalSteps, "steps", 1);
    }

    @Override
    public void step(Step step) {
        tokens += step.tokens();
        seconds += step.seconds();
        if (progress != null) {
            progress.at(step.step(), "loss %.3f  %.0f tokens/s".formatted(step.loss(), tokens / seconds));
        }
    }

    @Override
    public void evaluated(long step, double loss) {
        if (step > firstStep) {
            console.note("held-out loss after step %d: %.4f".formatted(step, loss));
        } else {
            console.note("held-out loss before: %.4f".formatted(loss));
        }
    }

    @Override
    public void saved(Path checkpoint) {
        console.note("checkpoint " + checkpoint);
    }

    /** All tokens trained on per second, evaluation not counted. */
    double tokensPerSecond() {
        return seconds == 0 ? 0 : tokens / seconds;
    }

    /** Takes the bar off the terminal, so that lines may follow. */
    void done() {
        if (progress != null) {
            progress.close();
        }
        progress = null;
    }

    @Override
    public void close() {
        done();
    }
}
