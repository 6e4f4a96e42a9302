package io.lorica.train;

import io.lorica.model.Pass;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Memory;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import io.lorica.train.MemoryPlan.Part;
import io.lorica.train.data.DataSet;
import io.lorica.train.data.Example;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.ToLongFunction;

/**
 * Finds out what a run takes by doing the work that takes most, without its effect: the widest held-out batch, then the
 * first, the widest and the longest micro-batches of this very run (its order is known), with an optimizer that moves by
 * zero. Nothing is trained, and no gradient stays behind.
 *
 * <p>A sum of tensor sizes was tried first and missed a fifth: the space between blocks of the heap, the code that kernels
 * compile for each shape, and what they work in are not in it. So the totals are the operating system's ({@code VmHWM},
 * reset before), and tensors only say how they divide:
 *
 * <pre>
 * total = mapped weights + heap taken + the rest (Java, libraries, data)      by /proc and mallinfo2
 * heap taken = weights + adapter + gradients + moments + activations + loss + other work + free space
 * </pre>
 *
 * <p>A run's heap is as large as its widest batch made it, so these are the run's numbers too. What comes later (plot,
 * model card, self-test) is some 10 MB.
 */
final class Rehearsal {
    /** Micro-batches are searched in so many steps; more only repeat the data. */
    private static final long STEPS = 20_000;

    private final Trainee trainee;
    private final TrainConfig config;
    private final DataSet.Split split;
    private final Loaded loaded;

    /**
     * Bytes in use in the native heap while a job was prepared.
     *
     * @param start before the model
     * @param weights what opening the model added
     * @param adapter what making the adapter added
     * @param model where the weights are mapped from
     */
    record Loaded(long start, long weights, long adapter, Path model) {}

    Rehearsal(Trainee trainee, TrainConfig config, DataSet.Split split, Loaded loaded) {
        this.trainee = trainee;
        this.config = config;
        this.split = split;
        this.loaded = loaded;
    }

    /** @throws LoricaException.Unsupported where the system does not tell what is resident or allocated */
    MemoryPlan run() {
        long loading = peak();
        NativeHeap.trim();
        if (!Memory.resetPeak()) {
            throw new LoricaException.Unsupported(
                    "a memory plan needs Linux's /proc/self/clear_refs, which is absent or"
                            + " closed here; leave out --dry-run and --memory");
        }
        NativeHeap before = NativeHeap.now();
        long evaluationHeap = split.heldOut().isEmpty() ? 0 : NativeHeap.peak(this::evaluate);
        Reading evaluation = Reading.now();
        List<MicroBatch> hardest = hardest();
        long trainingHeap = NativeHeap.peak(() -> train(hardest));
        Reading training = Reading.now();
        long learned = trainee.trainables().stream()
                .mapToLong(trainable -> Tensors.bytes(trainable.tensor()))
                .sum();
        GradientPass.Footprint footprint = gradientPass().footprint(widest(hardest), Pass.inference());
        TrainingCheck.clear(trainee);
        long mapped = NativeHeap.mapped(loaded.model());
        long work = Math.max(0, trainingHeap - 3 * learned - footprint.kept());
        long loss = Math.min(work, footprint.loss());
        List<Part> parts = List.of(
                part("Java, libraries, data", other(training, before, mapped), other(evaluation, before, mapped)),
                part("weights, mapped from file", mapped, mapped),
                part("weights, in memory", loaded.weights(), loaded.weights()),
                part("adapter", loaded.adapter(), loaded.adapter()),
                part("gradients", learned, 0),
                part("optimizer state", 2 * learned, 2 * learned),
                part("activations", footprint.kept(), 0),
                part("logits and loss", loss, 0),
                part("other work of a pass", work - loss, evaluationHeap),
                part(
                        "free space in the heap",
                        free(training, before, trainingHeap),
                        free(evaluation, before, evaluationHeap)));
        return new MemoryPlan(
                config.batchSize(),
                config.accumulation(),
                config.gradientCheckpointing(),
                widest(hardest).tokens(),
                loading,
                split.heldOut().isEmpty()
                        ? parts.stream().map(Rehearsal::trainingOnly).toList()
                        : parts);
    }

    private static Part trainingOnly(Part part) {
        return part(part.name(), part.training(), 0);
    }

    private static long free(Reading reading, NativeHeap before, long used) {
        return reading.heap.taken() - before.inUse() - used;
    }

    private static Part part(String name, long training, long evaluation) {
        return new Part(name, training, evaluation);
    }

    /** What is resident and neither mapped weights nor heap, and what the heap held that is no tensor of ours. */
    private long other(Reading reading, NativeHeap before, long mapped) {
        long outside = reading.resident - reading.heap.taken() - mapped;
        return outside + before.inUse() - loaded.weights() - loaded.adapter();
    }

    /** The most resident bytes since the last reset, and the heap at this moment. */
    private record Reading(long resident, NativeHeap heap) {
        static Reading now() {
            return new Reading(peak(), NativeHeap.now());
        }
    }

    private static long peak() {
        return Memory.peak()
                .orElseThrow(() -> new LoricaException.Unsupported("a memory plan needs Linux's /proc, which tells what"
                        + " is resident; leave out --dry-run and --memory here"));
    }

    private GradientPass gradientPass() {
        return new GradientPass(trainee.model(), config.gradientCheckpointing());
    }

    private void evaluate() {
        List<Example> heldOut = split.heldOut();
        List<MicroBatch> batches = new ArrayList<>();
        for (int from = 0; from < heldOut.size(); from += config.batchSize()) {
            batches.add(MicroBatch.of(heldOut.subList(from, Math.min(heldOut.size(), from + config.batchSize()))));
        }
        new Evaluation(trainee.model(), config.batchSize()).loss(widest(batches).examples());
    }

    private void train(List<MicroBatch> microBatches) {
        GradientPass pass = gradientPass();
        try (AdamW optimizer = Trainer.optimizer(trainee, config)) {
            try {
                for (MicroBatch micro : microBatches) {
                    pass.run(
                            micro,
                            Math.max(
                                    1,
                                    micro.examples().stream()
                                            .mapToInt(Example::targets)
                                            .sum()),
                            Pass.training(new Seed(config.seed())));
                }
                if (Double.isFinite(optimizer.gradientNorm())) {
                    optimizer.step(0, _ -> 1);
                }
            } finally {
                optimizer.clearGradients();
            }
        }
    }

    /**
     * The first micro-batches of the run (other sizes leave the heap in pieces, as they will then), that with most
     * tokens, and that with most pairs of tokens for attention.
     */
    private List<MicroBatch> hardest() {
        Order order = Order.of(config, split.train(), true);
        List<MicroBatch> all = new ArrayList<>();
        long steps = Math.min(STEPS, config.totalSteps(split.train().size()));
        for (long step = 0; step < steps; step++) {
            for (List<Example> examples : config.microBatches(order.step(step))) {
                all.add(MicroBatch.of(examples));
            }
        }
        List<MicroBatch> chosen = new ArrayList<>(all.subList(0, Math.min(3, all.size())));
        chosen.add(widest(all));
        chosen.add(most(all, Rehearsal::pairs));
        return chosen;
    }

    private static MicroBatch widest(List<MicroBatch> all) {
        return most(all, MicroBatch::tokens);
    }

    private static MicroBatch most(List<MicroBatch> all, ToLongFunction<MicroBatch> size) {
        return all.stream().max(Comparator.comparingLong(size)).orElseThrow();
    }

    private static long pairs(MicroBatch micro) {
        return micro.examples().stream()
                .mapToLong(example -> (long) example.length() * example.length())
                .sum();
    }
}
