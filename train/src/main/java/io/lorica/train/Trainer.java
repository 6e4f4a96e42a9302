package io.lorica.train;

import io.lorica.adapter.PassLoss;
import io.lorica.adapter.Trainable;
import io.lorica.adapter.TrainingRule;
import io.lorica.model.Pass;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.train.data.Example;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicBoolean;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The training loop, for adapters and whole models alike.
 *
 * <p>One optimizer step: choose its examples, add the gradients of each micro-batch, clip, move, log; then evaluate, save
 * and stop where it is time. The loss of a step is the sum over its targets divided by their count, whatever the split
 * into micro-batches. Everything random derives from the seed and the step, so a resumed run continues exactly.
 */
public final class Trainer {
    private final Trainee trainee;
    private final TrainConfig config;
    private final TrainListener listener;
    private final GradientPass gradients;
    private final Evaluation evaluation;
    private final AtomicBoolean stop = new AtomicBoolean();
    private boolean shuffled = true;

    public Trainer(Trainee trainee, TrainConfig config, TrainListener listener) {
        this.trainee = trainee;
        this.config = config;
        this.listener = listener;
        gradients = new GradientPass(trainee.model(), config.gradientCheckpointing());
        evaluation = new Evaluation(trainee.model(), config.batchSize());
    }

    /**
     * Where a run lives and what makes it the same run.
     *
     * @param directory checkpoints go to {@code directory/checkpoints}
     * @param identity settings and data hash; a checkpoint is only continued where all are equal
     */
    public record Run(Path directory, Map<String, String> identity, boolean resume) {}

    /**
     * How a run ended.
     *
     * @param steps optimizer steps done in all
     * @param lossBefore held-out loss before training, NaN without held-out data
     * @param lossAfter held-out loss of what was saved
     * @param interrupted whether {@link #stop()} ended it; then a checkpoint was written
     */
    public record Outcome(
            long steps,
            double lossBefore,
            double lossAfter,
            double lastTrainLoss,
            long bestStep,
            boolean stoppedEarly,
            boolean interrupted,
            double seconds,
            long tokens) {}

    /** Takes the examples in the order of the data, epoch after epoch, for comparison with other software. */
    public Trainer inGivenOrder() {
        shuffled = false;
        return this;
    }

    /** Asks the run to write a checkpoint after the step under way and to return. Safe from any thread. */
    public void stop() {
        stop.set(true);
    }

    /**
     * Trains.
     *
     * @param heldOut may be empty; never trained on
     * @throws LoricaException.Diverged when a loss or gradient is not finite; the last checkpoint stays
     */
    public Outcome train(List<Example> data, List<Example> heldOut, Run run) {
        try (Loop loop = loop(data, heldOut, run)) {
            loop.start();
            while (loop.goesOn()) {
                loop.step();
            }
            return loop.end();
        }
    }

    private void requireTrainable(List<Example> data, List<Example> heldOut) {
        if (data.stream().allMatch(example -> example.targets() == 0)) {
            throw new LoricaException.BadInput("none of the " + data.size()
                    + " examples has a target to learn; check the completion column and max_length");
        }
        if (config.earlyStoppingPatience() > 0 && heldOut.isEmpty()) {
            throw new LoricaException.BadInput("early_stopping_patience is " + config.earlyStoppingPatience()
                    + ", but no examples are held out to see when to stop; hold some out, or set it to 0");
        }
    }

    /** Where a resumed run of that directory would go on; empty where there is no checkpoint. */
    static OptionalLong resumedStep(Path directory) {
        return Checkpoint.newest(directory.resolve("checkpoints")).stream()
                .mapToLong(path -> Long.parseLong(path.getFileName().toString().substring(5)))
                .findFirst();
    }

    /** The newest checkpoint where the run is to go on, none where it starts. */
    private static Optional<Path> checkpoint(Run run, Path checkpoints) {
        Optional<Path> newest = Checkpoint.newest(checkpoints);
        if (run.resume() && newest.isEmpty()) {
            throw new LoricaException.NotFound(
                    "there is no checkpoint under " + checkpoints + " to resume from; start without --resume");
        }
        if (!run.resume() && newest.isPresent()) {
            throw new LoricaException.BadInput(
                    newest.get() + " is there already; go on with --resume, or choose another --out");
        }
        return newest;
    }

    /** An optimizer over all that the trainee learns. */
    static AdamW optimizer(Trainee trainee, TrainConfig config) {
        AdamW optimizer = new AdamW(config.adamBeta1(), config.adamBeta2(), config.adamEpsilon());
        follow(trainee, config, optimizer);
        return optimizer;
    }

    /** What the trainee moves may have changed. */
    private static void follow(Trainee trainee, TrainConfig config, AdamW optimizer) {
        optimizer.follow(trainee.trainables(), trainable -> {
            boolean matrix = trainable.tensor().dim() > 1;
            optimizer.add(trainable, rateFactor(trainable, matrix, config), matrix ? config.weightDecay() : 0);
        });
    }

    /** LoRA+'s groups; see {@link Trainable.Role}. */
    private static double rateFactor(Trainable trainable, boolean matrix, TrainConfig config) {
        double ratio = config.loraplusLrRatio();
        return switch (trainable.role()) {
            case A -> 1;
            case B -> ratio;
            case EMBEDDING -> ratio == 1 ? 1 : config.loraplusLrEmbedding() / config.learningRate();
            case MODULE -> matrix ? 1 : ratio;
        };
    }

    /** A run that is driven from outside, step by step. */
    Loop loop(List<Example> data, List<Example> heldOut, Run run) {
        requireTrainable(data, heldOut);
        return new Loop(data, heldOut, run);
    }

    /**
     * A piece of an optimizer step.
     *
     * @param targetsInStep what the loss of its targets is divided by
     * @param inside the loss that its pass gathers, part of {@code pass}; null for none
     */
    record Part(
            MicroBatch micro,
            long targetsInStep,
            Pass pass,
            @Nullable PassLoss inside) {}

    /** An optimizer step under way: the gradients of all its parts make it whole. */
    static final class Step {
        private final long start = System.nanoTime();
        private final List<Example> examples;
        private final long targets;
        private final List<Part> parts = new ArrayList<>();
        private double loss;

        private Step(List<Example> examples) {
            this.examples = examples;
            targets = Example.readings(examples).stream()
                    .flatMap(List::stream)
                    .mapToLong(Example::targets)
                    .sum();
        }

        List<Part> parts() {
            return parts;
        }

        /** Notes that a part's gradients are there. */
        void done(Part part, double value) {
            loss += value + (part.inside() == null ? 0 : part.inside().value());
        }
    }

    /** One run under way: {@link #start}, then steps while it {@link #goesOn}, then {@link #end}. */
    final class Loop implements AutoCloseable {
        private final List<Example> data;
        private final List<Example> heldOut;
        private final Run run;
        private final Path checkpoints;
        private final AdamW optimizer;
        private final long totalSteps;
        private final Order order;
        private final Seed seed = new Seed(config.seed());
        private final long began = System.nanoTime();
        private Checkpoint state;
        private @Nullable Lending lending;
        private @Nullable Order keptOrder;
        private double lastLoss = Double.NaN;
        private double after = Double.NaN;
        private long tokens;

        private Loop(List<Example> data, List<Example> heldOut, Run run) {
            this.data = data;
            this.heldOut = heldOut;
            this.run = run;
            checkpoints = run.directory().resolve("checkpoints");
            optimizer = optimizer(trainee, config);
            try {
                state = checkpoint(run, checkpoints)
                        .map(path -> Checkpoint.read(
                                path, trainee, optimizer, run.identity(), () -> follow(trainee, config, optimizer)))
                        .orElseGet(() -> Checkpoint.start(Double.NaN));
            } catch (RuntimeException e) {
                optimizer.close();
                throw e;
            }
            totalSteps = config.totalSteps(data.size());
            order = Order.of(config, data, shuffled);
        }

        @Override
        public void close() {
            optimizer.close();
        }

        /** The examples of a step: out of all, or of those that the method does not keep to itself. */
        private List<Example> examples(TrainingRule rule, long step) {
            double lent = rule.lent(step, totalSteps);
            if (lent == 0) {
                return order.step(step);
            }
            if (lending == null) {
                lending = Lending.of(data, lent);
                rule.borrow(new DataCalibration(trainee.model(), lending.lent(), TrainListener.SILENT));
            }
            if (keptOrder == null) {
                keptOrder = Order.of(config, lending.kept(), shuffled);
            }
            return keptOrder.step(step);
        }

        long totalSteps() {
            return totalSteps;
        }

        /** Evaluates what is there before the first step. */
        void start() {
            listener.started(totalSteps, state.step());
            if (state.step() == 0) {
                state = Checkpoint.start(evaluate());
                after = state.lossBefore();
            }
        }

        boolean goesOn() {
            return state.step() < totalSteps && !stopsEarly() && !stop.get();
        }

        void step() {
            Step step = begin();
            for (Part part : step.parts()) {
                step.done(part, gradients.run(part.micro(), part.targetsInStep(), part.pass()));
            }
            finish(step);
        }

        /** Chooses the examples of the next step. */
        Step begin() {
            long number = state.step();
            TrainingRule rule = trainee.rule();
            Step step = new Step(examples(rule, number));
            rule.beforeStep(number, totalSteps);
            follow(trainee, config, optimizer);
            split(step);
            return step;
        }

        /** Makes a begun step as if nothing of it had been done: no gradients, no loss, the same parts with the same dropout. */
        void restart(Step step) {
            optimizer.clearGradients();
            step.parts.clear();
            step.loss = 0;
            split(step);
        }

        private void split(Step step) {
            TrainingRule rule = trainee.rule();
            long all = Example.readings(step.examples).stream()
                    .flatMap(List::stream)
                    .mapToLong(Example::length)
                    .sum();
            Seed dropout = seed.of("dropout").of(state.step());
            int from = 0;
            for (List<Example> part : config.microBatches(step.examples)) {
                for (List<Example> reading : Example.readings(part)) {
                    MicroBatch micro = MicroBatch.of(reading);
                    PassLoss inside = rule.passLoss((double) micro.tokens() / all, micro.lengths());
                    Pass pass = Pass.training(dropout.of(from));
                    step.parts.add(new Part(
                            micro, Math.max(1, step.targets), inside == null ? pass : pass.with(inside), inside));
                }
                from += part.size();
            }
        }

        /** Moves what is learned, then evaluates and saves where it is time. */
        void finish(Step step) {
            update(step);
            state = state.nextStep();
            boolean last = state.step() == totalSteps;
            if (last || (config.evalSteps() > 0 && state.step() % config.evalSteps() == 0)) {
                after = evaluate();
                noteHeldOut(after);
            }
            if (config.saveSteps() > 0 && state.step() % config.saveSteps() == 0) {
                save();
            }
        }

        Outcome end() {
            boolean interrupted = state.step() < totalSteps && !stopsEarly();
            if (interrupted) {
                save();
            } else if (keepsBest() && state.bestStep() > 0 && state.bestStep() < state.step()) {
                trainee.rule().resumeAt(state.bestStep());
                Checkpoint.readBest(checkpoints, trainee);
                after = state.bestLoss();
            } else if (Double.isNaN(after)) {
                after = evaluate();
            }
            return new Outcome(
                    state.step(),
                    state.lossBefore(),
                    after,
                    lastLoss,
                    state.bestStep(),
                    stopsEarly(),
                    interrupted,
                    (System.nanoTime() - began) / 1e9,
                    tokens);
        }

        private void update(Step step) {
            long number = state.step();
            TrainingRule rule = trainee.rule();
            double loss = step.loss + extraLoss(rule);
            AdamW.requireFinite(loss, number + 1, "loss");
            rule.beforeUpdate(number);
            double norm = optimizer.gradientNorm();
            AdamW.requireFinite(norm, number + 1, "gradient norm");
            if (config.maxGradNorm() > 0 && norm > config.maxGradNorm()) {
                optimizer.scaleGradients(config.maxGradNorm() / (norm + 1e-6));
            }
            double rate =
                    config.learningRate() * config.schedule().factor(number, config.warmUp(totalSteps), totalSteps);
            optimizer.step(rate, rule::learningRateFactor);
            rule.afterUpdate(number);
            optimizer.clearGradients();
            lastLoss = loss;
            long stepTokens =
                    step.parts.stream().mapToLong(part -> part.micro().tokens()).sum();
            tokens += stepTokens;
            listener.step(new TrainListener.Step(
                    number + 1,
                    totalSteps,
                    loss,
                    rate,
                    norm,
                    stepTokens,
                    step.targets,
                    (System.nanoTime() - step.start) / 1e9));
        }

        private double extraLoss(TrainingRule rule) {
            try (Scope _ = Scope.open()) {
                @Nullable Tensor extra = rule.extraLoss();
                if (extra == null) {
                    return 0;
                }
                extra.backward();
                return extra.item_double();
            }
        }

        private double evaluate() {
            if (heldOut.isEmpty()) {
                return Double.NaN;
            }
            double loss = evaluation.loss(heldOut);
            AdamW.requireFinite(loss, state.step(), "held-out loss");
            listener.evaluated(state.step(), loss);
            return loss;
        }

        private void noteHeldOut(double loss) {
            state = state.evaluated(loss);
            if (keepsBest() && state.bestStep() == state.step()) {
                Checkpoint.writeBest(checkpoints, trainee);
            }
        }

        private boolean keepsBest() {
            return config.earlyStoppingPatience() > 0;
        }

        private boolean stopsEarly() {
            return keepsBest() && state.evaluationsSinceBest() >= config.earlyStoppingPatience();
        }

        private void save() {
            listener.saved(state.write(checkpoints, trainee, optimizer, run.identity(), config.saveTotalLimit()));
        }
    }
}
