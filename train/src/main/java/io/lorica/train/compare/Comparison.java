package io.lorica.train.compare;

import io.lorica.model.ModelStore;
import io.lorica.model.Pretrained;
import io.lorica.tensor.Hashing;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Memory;
import io.lorica.train.FineTune;
import io.lorica.train.TrainListener;
import io.lorica.train.Trainer;
import io.lorica.train.report.MetricsLog;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Trains every method with every seed, one after another in this process, each in a run directory of its own. Finished
 * runs are taken over when the comparison is started again, and one that was stopped goes on from its checkpoint.
 */
public final class Comparison {
    private final ModelStore store;
    private final @Nullable Metric metric;
    private volatile boolean stopped;
    private volatile @Nullable FineTune current;

    /** What a trained model is worth for a task; higher is better. */
    public interface Metric {

        /** Its name and all that decides its value, for the table and for taking over finished runs. */
        String name();

        double measure(Pretrained model);
    }

    /** @param metric measured on each trained model; null for the losses only */
    public Comparison(ModelStore store, @Nullable Metric metric) {
        this.store = store;
        this.metric = metric;
    }

    /** Ends the run under way with a checkpoint, and starts no other. Safe from any thread. */
    public void stop() {
        stopped = true;
        FineTune job = current;
        if (job != null) {
            job.stop();
        }
    }

    /**
     * Trains what is not trained yet.
     *
     * @param runs one for each method and seed; each with its own directory
     * @param listener who hears of a run
     * @return all cells in the order of {@code runs}; empty where {@link #stop()} came first
     */
    public Optional<List<Cell>> run(List<FineTune.Spec> runs, Function<FineTune.Spec, TrainListener> listener) {
        List<Cell> cells = new ArrayList<>();
        for (FineTune.Spec spec : runs) {
            Path directory = directory(spec);
            Optional<Cell> cell = Cell.read(directory, identity(spec));
            if (cell.isEmpty() && !stopped) {
                cell = train(spec, directory, listener.apply(spec));
            }
            if (cell.isEmpty()) {
                return Optional.empty();
            }
            cells.add(cell.get());
        }
        return Optional.of(cells);
    }

    private Optional<Cell> train(FineTune.Spec spec, Path directory, TrainListener listener) {
        boolean tells = Memory.resetPeak();
        Clock clock = new Clock(listener);
        try (FineTune job = FineTune.prepare(fresh(spec, directory), store, clock)) {
            current = job;
            if (stopped) {
                return Optional.empty();
            }
            Trainer.Outcome outcome = job.run();
            if (outcome.interrupted()) {
                return Optional.empty();
            }
            Long peak = tells && Memory.peak().isPresent() ? Memory.peak().getAsLong() : null;
            Cell cell = new Cell(
                    spec.method(),
                    spec.training().seed(),
                    identity(spec),
                    job.adapter().parameterCount(),
                    Files.size(directory.resolve("adapter_model.safetensors")),
                    peak,
                    job.secondsToStart(),
                    clock.tokensPerSecond(),
                    lastLosses(directory),
                    outcome.lossAfter(),
                    metric == null ? null : metric.measure(job.base()));
            cell.write(directory);
            return Optional.of(cell);
        } catch (IOException e) {
            throw new LoricaException.Internal("cannot read what was saved in " + directory + ": " + e.getMessage(), e);
        } finally {
            current = null;
        }
    }

    /** The same run, continued where it has a checkpoint; what a run without one left is forgotten. */
    private static FineTune.Spec fresh(FineTune.Spec spec, Path directory) throws IOException {
        boolean resume = FineTune.resumable(directory);
        if (!resume) {
            Files.deleteIfExists(directory.resolve("run.json"));
        }
        return spec.withResume(resume);
    }

    private static Path directory(FineTune.Spec spec) {
        if (spec.out() == null) {
            throw new LoricaException.BadInput("a run of a comparison needs a directory of its own");
        }
        return spec.out();
    }

    private String identity(FineTune.Spec spec) {
        return Hashing.sha256(String.join(
                "\n",
                spec.model(),
                spec.data().toString(),
                String.valueOf(spec.heldOutData()),
                Integer.toString(spec.heldOut()),
                spec.method(),
                spec.settings().toString(),
                spec.training().toString(),
                String.valueOf(spec.template()),
                spec.columns().toString(),
                metric == null ? "" : metric.name()));
    }

    private static double lastLosses(Path directory) {
        List<Double> losses = MetricsLog.read(directory.resolve("metrics.jsonl")).stream()
                .filter(line -> line.path("train_loss").isNumber())
                .map(line -> line.path("train_loss").asDouble())
                .toList();
        return losses.subList(Math.max(0, losses.size() - 10), losses.size()).stream()
                .mapToDouble(Double::doubleValue)
                .average()
                .orElse(Double.NaN);
    }

    /** Counts tokens and seconds of steps, and hands everything on. */
    private static final class Clock implements TrainListener {
        private final TrainListener next;
        private long tokens;
        private double seconds;

        Clock(TrainListener next) {
            this.next = next;
        }

        double tokensPerSecond() {
            return seconds == 0 ? 0 : tokens / seconds;
        }

        @Override
        public void started(long totalSteps, long firstStep) {
            next.started(totalSteps, firstStep);
        }

        @Override
        public void step(Step step) {
            tokens += step.tokens();
            seconds += step.seconds();
            next.step(step);
        }

        @Override
        public void evaluated(long step, double loss) {
            next.evaluated(step, loss);
        }

        @Override
        public void saved(Path checkpoint) {
            next.saved(checkpoint);
        }
    }
}
