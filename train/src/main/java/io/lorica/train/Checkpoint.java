package io.lorica.train;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.AtomicFile;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.SafetensorsFile;
import io.lorica.tensor.Scope;
import io.lorica.tensor.TensorSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;

/**
 * A run's state between two optimizer steps, in {@code checkpoints/step-N/}: the tensors with their moments and what the
 * loop knows. Order and dropout derive from seed and step, so nothing else is needed to go on exactly.
 *
 * <p>A checkpoint is a directory that exists whole or not at all: written under a temporary name, synced, renamed.
 *
 * @param step optimizer steps done
 * @param lossBefore held-out loss before training; NaN without held-out data
 * @param bestLoss lowest held-out loss so far, infinite before the first
 * @param bestStep its step
 * @param evaluationsSinceBest for early stopping
 */
record Checkpoint(long step, double lossBefore, double bestLoss, long bestStep, int evaluationsSinceBest) {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String STATE = "state.json";
    private static final String TENSORS = "tensors.safetensors";
    private static final String BEST = "best.safetensors";

    static Checkpoint start(double lossBefore) {
        return new Checkpoint(0, lossBefore, Double.POSITIVE_INFINITY, 0, 0);
    }

    Checkpoint nextStep() {
        return new Checkpoint(step + 1, lossBefore, bestLoss, bestStep, evaluationsSinceBest);
    }

    /** After an evaluation at this step. */
    Checkpoint evaluated(double loss) {
        return loss < bestLoss
                ? new Checkpoint(step, lossBefore, loss, step, 0)
                : new Checkpoint(step, lossBefore, bestLoss, bestStep, evaluationsSinceBest + 1);
    }

    /** Keeps what was learned so far as the best, in {@code directory/best.safetensors}. */
    static void writeBest(Path directory, Trainee trainee) {
        SafetensorsFile.write(directory.resolve(BEST), trainee.state(), Map.of());
    }

    /** Brings back what {@link #writeBest} kept. */
    static void readBest(Path directory, Trainee trainee) {
        restore(directory.resolve(BEST), trainee.state());
    }

    /**
     * Writes {@code directory/step-N} and removes all but the newest {@code keep}.
     *
     * @param run what must be equal for the checkpoint to be continued (settings and data hash)
     */
    Path write(Path directory, Trainee trainee, AdamW optimizer, Map<String, String> run, int keep) {
        Path target = directory.resolve("step-" + step);
        Path temporary = directory.resolve(".step-" + step + ".tmp");
        try {
            AtomicFile.deleteTree(temporary);
            Files.createDirectories(temporary);
            SafetensorsFile.write(temporary.resolve(TENSORS), tensors(trainee, optimizer), Map.of());
            ObjectNode state = JSON.createObjectNode()
                    .put("step", step)
                    .put("bestStep", bestStep)
                    .put("evaluationsSinceBest", evaluationsSinceBest);
            if (Double.isFinite(bestLoss)) {
                state.put("bestLoss", bestLoss);
            }
            if (Double.isFinite(lossBefore)) {
                state.put("lossBefore", lossBefore);
            }
            ObjectNode steps = state.putObject("slotSteps");
            optimizer.slots().stream()
                    .filter(slot -> slot.steps() != step)
                    .forEach(slot -> steps.put(slot.trainable().name(), slot.steps()));
            ObjectNode same = state.putObject("run");
            run.forEach(same::put);
            AtomicFile.writeString(temporary.resolve(STATE), state.toPrettyString() + "\n");
            AtomicFile.syncDirectory(temporary);
            replace(target, temporary, directory);
            List<Path> all = list(directory);
            for (Path old : all.subList(0, Math.max(0, all.size() - keep))) {
                AtomicFile.deleteTree(old);
            }
            return target;
        } catch (IOException e) {
            throw new LoricaException.Internal("cannot write checkpoint " + target + ": " + e.getMessage(), e);
        }
    }

    /**
     * A checkpoint of this step may be there already (a run that was stopped, resumed and stopped again). It is moved
     * aside, not deleted, before the new one takes its name: it may be the only one.
     */
    private static void replace(Path target, Path temporary, Path directory) throws IOException {
        Path aside = aside(target);
        if (Files.exists(target)) {
            AtomicFile.deleteTree(aside);
            Files.move(target, aside, StandardCopyOption.ATOMIC_MOVE);
        }
        Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
        AtomicFile.syncDirectory(directory);
        AtomicFile.deleteTree(aside);
    }

    private static Path aside(Path checkpoint) {
        return checkpoint.resolveSibling("." + checkpoint.getFileName() + ".old");
    }

    /** Gives a checkpoint its name back where a kill came between the two moves of {@link #replace}. */
    private static void recover(Path directory) throws IOException {
        try (Stream<Path> entries = Files.list(directory)) {
            for (Path old : entries.filter(path -> path.getFileName().toString().matches("\\.step-\\d+\\.old"))
                    .toList()) {
                String name = old.getFileName().toString();
                Path target = directory.resolve(name.substring(1, name.length() - 4));
                if (Files.exists(target)) {
                    AtomicFile.deleteTree(old);
                } else {
                    Files.move(old, target, StandardCopyOption.ATOMIC_MOVE);
                }
            }
        }
    }

    /** All tensors of the state by name; each is the live one. */
    private static SequencedMap<String, Tensor> tensors(Trainee trainee, AdamW optimizer) {
        SequencedMap<String, Tensor> tensors = new LinkedHashMap<>(trainee.state());
        tensors.putAll(moments(optimizer));
        return tensors;
    }

    private static SequencedMap<String, Tensor> moments(AdamW optimizer) {
        SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
        for (AdamW.Slot slot : optimizer.slots()) {
            tensors.put("m." + slot.trainable().name(), slot.m());
            tensors.put("v." + slot.trainable().name(), slot.v());
        }
        return tensors;
    }

    /** The newest checkpoint of a run, if it has one. */
    static Optional<Path> newest(Path directory) {
        try {
            if (!Files.isDirectory(directory)) {
                return Optional.empty();
            }
            recover(directory);
            return list(directory).reversed().stream().findFirst();
        } catch (IOException e) {
            throw new LoricaException.Internal("cannot read " + directory + ": " + e.getMessage(), e);
        }
    }

    /**
     * Reads a checkpoint back into the optimizer and the tensors it moves.
     *
     * @param follow lets the optimizer go over to what the restored trainee moves
     * @throws LoricaException.Incompatible if it belongs to a run with other settings or data, naming what differs
     */
    static Checkpoint read(
            Path checkpoint, Trainee trainee, AdamW optimizer, Map<String, String> run, Runnable follow) {
        JsonNode state = state(checkpoint);
        requireSame(checkpoint, state.path("run"), run);
        long step = state.path("step").asLong();
        trainee.rule().resumeAt(step);
        restore(checkpoint.resolve(TENSORS), trainee.state());
        trainee.rule().restored();
        follow.run();
        restore(checkpoint.resolve(TENSORS), moments(optimizer));
        JsonNode steps = state.path("slotSteps");
        optimizer
                .slots()
                .forEach(slot ->
                        slot.resumeAt(steps.path(slot.trainable().name()).asLong(step)));
        return new Checkpoint(
                step,
                state.path("lossBefore").asDouble(Double.NaN),
                state.path("bestLoss").asDouble(Double.POSITIVE_INFINITY),
                state.path("bestStep").asLong(),
                state.path("evaluationsSinceBest").asInt());
    }

    private static void restore(Path file, SequencedMap<String, Tensor> tensors) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled();
                TensorSource source = SafetensorsFile.open(file)) {
            tensors.forEach((name, tensor) -> tensor.copy_(source.read(name)));
        }
    }

    private static JsonNode state(Path checkpoint) {
        Path file = checkpoint.resolve(STATE);
        try {
            return JSON.readTree(file.toFile());
        } catch (IOException e) {
            throw new LoricaException.BadInput(
                    file + " cannot be read: " + e.getMessage() + "; remove that checkpoint and resume again", e);
        }
    }

    private static void requireSame(Path checkpoint, JsonNode recorded, Map<String, String> run) {
        List<String> different = run.entrySet().stream()
                .filter(entry ->
                        !entry.getValue().equals(recorded.path(entry.getKey()).asText()))
                .map(entry -> entry.getKey() + " was "
                        + recorded.path(entry.getKey()).asText() + ", is now " + entry.getValue())
                .toList();
        if (!different.isEmpty()) {
            throw new LoricaException.Incompatible(
                    checkpoint + " belongs to another run: " + String.join("; ", different)
                            + ". Resume with the same settings and data, or start anew without --resume in another --out");
        }
    }

    private static List<Path> list(Path directory) throws IOException {
        try (Stream<Path> entries = Files.list(directory)) {
            return entries.filter(path -> path.getFileName().toString().matches("step-\\d+"))
                    .sorted(Comparator.comparingLong(
                            path -> Long.parseLong(path.getFileName().toString().substring(5))))
                    .toList();
        }
    }
}
