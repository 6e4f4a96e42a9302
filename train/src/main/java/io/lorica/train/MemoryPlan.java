package io.lorica.train;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.Memory;
import io.lorica.train.report.Table;
import java.util.List;
import java.util.function.ToLongFunction;

/**
 * The resident bytes of a run's process, part by part; made by {@link FineTune#plan()}. The parts of a column add up to
 * the most that the process held while that kind of work was rehearsed.
 *
 * @param batchSize examples of a micro-batch
 * @param accumulation micro-batches of a step
 * @param checkpointing whether activations are computed again in the backward pass
 * @param tokens of the widest micro-batch that the run will see
 * @param loading the most bytes before any work: obtaining and reading model and data, the method's start
 */
public record MemoryPlan(
        int batchSize, int accumulation, boolean checkpointing, int tokens, long loading, List<Part> parts) {

    /** What one thing takes while training and while evaluating, in bytes. */
    public record Part(String name, long training, long evaluation) {}

    /** The most bytes during training. */
    public long training() {
        return sum(Part::training);
    }

    /** The most bytes while the held-out loss is computed; 0 without held-out data. */
    public long evaluation() {
        return sum(Part::evaluation);
    }

    /** The most resident bytes of the whole run. */
    public long peak() {
        return Math.max(loading, Math.max(training(), evaluation()));
    }

    private long sum(ToLongFunction<Part> column) {
        return parts.stream().mapToLong(column).sum();
    }

    /** One row a part, and the totals. */
    public String table() {
        Table table = new Table("resident memory", "training", "evaluation");
        for (Part part : parts) {
            table.row(part.name(), shown(part.training()), shown(part.evaluation()));
        }
        table.row("total", shown(training()), shown(evaluation()));
        return table.text();
    }

    /** In one line: the peak and the split it is for. */
    public String summary() {
        return "peak %s with micro-batches of %d (%d tokens at most), %d a step%s"
                .formatted(
                        Memory.format(peak()),
                        batchSize,
                        tokens,
                        accumulation,
                        checkpointing ? ", gradient checkpointing" : "");
    }

    public ObjectNode json() {
        ObjectNode json = JsonNodeFactory.instance
                .objectNode()
                .put("peak", peak())
                .put("training", training())
                .put("evaluation", evaluation())
                .put("loading", loading)
                .put("per_device_train_batch_size", batchSize)
                .put("gradient_accumulation_steps", accumulation)
                .put("gradient_checkpointing", checkpointing)
                .put("largest_micro_batch_tokens", tokens);
        for (Part part : parts) {
            json.withArray("parts")
                    .addObject()
                    .put("part", part.name())
                    .put("training", part.training())
                    .put("evaluation", part.evaluation());
        }
        return json;
    }

    private static String shown(long bytes) {
        return bytes == 0 ? "-" : Memory.format(bytes);
    }
}
