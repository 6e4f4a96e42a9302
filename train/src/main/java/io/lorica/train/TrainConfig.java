package io.lorica.train;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.lorica.adapter.Options;
import io.lorica.model.WeightFormat;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import io.lorica.train.data.Example;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.SequencedMap;

/**
 * How a run trains. Keys are spelled as transformers' {@code TrainingArguments} and PEFT spell them; what they lack has a
 * name of our own. Grouped in the order in which a person thinks.
 *
 * @param learningRate peak of the schedule; 2e-4
 * @param batchSize {@code per_device_train_batch_size}: examples of one forward pass; memory grows with it; 8
 * @param accumulation {@code gradient_accumulation_steps}: forward passes of one optimizer step; costs time, no memory; 1
 * @param epochs {@code num_train_epochs}: passes over the data; may be a fraction; 1
 * @param maxSteps {@code max_steps}: optimizer steps; when above 0 it stands before {@code epochs}; 0
 * @param schedule {@code lr_scheduler_type}: linear, cosine, constant, constant_with_warmup; linear
 * @param warmupSteps optimizer steps of the warm-up; 0
 * @param warmupRatio warm-up as a share of all steps, where {@code warmup_steps} is 0; 0
 * @param weightDecay decoupled, on matrices; 0
 * @param maxGradNorm gradients are scaled down to this global norm; 0 turns clipping off; 1
 * @param loraplusLrRatio LoRA+ (Hayou et al. 2024): learning rate of B and vectors over that of A; 1 is plain LoRA
 * @param loraplusLrEmbedding LoRA+: learning rate of embedding factors, where {@code loraplus_lr_ratio} is not 1; 1e-6
 * @param maxLength tokens of an example; longer ones are cut and counted; 1024
 * @param groupByLength batches of similar length: steadier memory, no change in speed since nothing is padded; false
 * @param gradientCheckpointing about a third slower, activations of one block instead of all; false
 * @param seed of order, dropout and first values; 42
 * @param evalSteps held-out loss every so many steps; 0 only at the end
 * @param saveSteps checkpoint every so many steps; 0 none but on Ctrl-C
 * @param saveTotalLimit newest checkpoints that are kept; 2
 * @param earlyStoppingPatience evaluations without a better held-out loss before stopping; the weights with the best
 *     one are what remains; 0 never, and the last weights remain
 * @param threads of libtorch; 0 leaves its default
 * @param dtype what the frozen weights compute in; bfloat16
 * @param weights how the frozen weights are held: dense, int8, int4, int4-64, int4-128, nf4, gguf; fewer bits take less
 *     memory and somewhat more time; dense
 */
public record TrainConfig(
        double learningRate,
        int batchSize,
        int accumulation,
        double epochs,
        int maxSteps,
        Schedule schedule,
        int warmupSteps,
        double warmupRatio,
        double weightDecay,
        double adamBeta1,
        double adamBeta2,
        double adamEpsilon,
        double maxGradNorm,
        double loraplusLrRatio,
        double loraplusLrEmbedding,
        int maxLength,
        boolean groupByLength,
        boolean gradientCheckpointing,
        long seed,
        int evalSteps,
        int saveSteps,
        int saveTotalLimit,
        int earlyStoppingPatience,
        int threads,
        DType dtype,
        WeightFormat weights) {

    /** Every setting at its default. */
    public static TrainConfig defaults() {
        return parse(new Options(new ObjectMapper().createObjectNode(), "defaults"));
    }

    /** Takes the keys of training out of {@code options}; others stay for whoever knows them. */
    public static TrainConfig parse(Options options) {
        int any = Integer.MAX_VALUE;
        TrainConfig config = new TrainConfig(
                options.number("learning_rate", 2e-4, 0, 100),
                options.integer("per_device_train_batch_size", 8, 1, any),
                options.integer("gradient_accumulation_steps", 1, 1, any),
                options.number("num_train_epochs", 1, 0, 1e6),
                options.integer("max_steps", 0, 0, any),
                schedule(options),
                options.integer("warmup_steps", 0, 0, any),
                options.number("warmup_ratio", 0, 0, 1),
                options.number("weight_decay", 0, 0, 10),
                options.number("adam_beta1", 0.9, 0, 0.999999),
                options.number("adam_beta2", 0.999, 0, 0.9999999),
                options.number("adam_epsilon", 1e-8, 0, 1),
                options.number("max_grad_norm", 1, 0, 1e9),
                options.number("loraplus_lr_ratio", 1, 1, 1e6),
                options.number("loraplus_lr_embedding", 1e-6, 0, 100),
                options.integer("max_length", 1024, 2, any),
                options.flag("group_by_length", false),
                options.flag("gradient_checkpointing", false),
                options.integer("seed", 42, 0, any),
                options.integer("eval_steps", 0, 0, any),
                options.integer("save_steps", 0, 0, any),
                options.integer("save_total_limit", 2, 1, any),
                options.integer("early_stopping_patience", 0, 0, any),
                options.integer("threads", 0, 0, 1024),
                DType.parse(options.text("dtype", "bfloat16")),
                WeightFormat.parse(options.text("weights", "dense")));
        config.check(options.where());
        return config;
    }

    private static Schedule schedule(Options options) {
        List<String> keys = Arrays.stream(Schedule.values()).map(Schedule::key).toList();
        return Schedule.valueOf(
                options.choice("lr_scheduler_type", "linear", keys).toUpperCase(Locale.ROOT));
    }

    private void check(String where) {
        if (warmupSteps > 0 && warmupRatio > 0) {
            throw new LoricaException.BadInput(where + ": warmup_steps " + warmupSteps + " and warmup_ratio "
                    + warmupRatio + " exclude each other");
        }
        if (earlyStoppingPatience > 0 && evalSteps == 0) {
            throw new LoricaException.BadInput(where + ": early_stopping_patience " + earlyStoppingPatience
                    + " needs held-out losses on the way; set eval_steps");
        }
        if (maxSteps == 0 && epochs == 0) {
            throw new LoricaException.BadInput(where + ": max_steps and num_train_epochs are both 0: nothing to do");
        }
    }

    /** Optimizer steps of the whole run over {@code examples} examples. */
    public long totalSteps(int examples) {
        long perEpoch = Math.max(1, Math.ceilDiv(examples, (long) batchSize * accumulation));
        return maxSteps > 0 ? maxSteps : Math.max(1, (long) Math.ceil(epochs * perEpoch));
    }

    /** The examples of a step as its micro-batches. */
    List<List<Example>> microBatches(List<Example> step) {
        List<List<Example>> parts = new ArrayList<>();
        for (int from = 0; from < step.size(); from += batchSize) {
            parts.add(step.subList(from, Math.min(step.size(), from + batchSize)));
        }
        return parts;
    }

    /**
     * The same steps in smaller micro-batches.
     *
     * @param micro divides {@link #batchSize()}; accumulation grows by as much as this is smaller
     */
    TrainConfig splitInto(int micro, boolean checkpointing) {
        return new TrainConfig(
                learningRate,
                micro,
                batchSize / micro * accumulation,
                epochs,
                maxSteps,
                schedule,
                warmupSteps,
                warmupRatio,
                weightDecay,
                adamBeta1,
                adamBeta2,
                adamEpsilon,
                maxGradNorm,
                loraplusLrRatio,
                loraplusLrEmbedding,
                maxLength,
                groupByLength,
                checkpointing,
                seed,
                evalSteps,
                saveSteps,
                saveTotalLimit,
                earlyStoppingPatience,
                threads,
                dtype,
                weights);
    }

    /** Optimizer steps of the warm-up. */
    public long warmUp(long totalSteps) {
        return warmupSteps > 0 ? warmupSteps : (long) Math.ceil(warmupRatio * totalSteps);
    }

    /** Every setting by its key, as a configuration file has it. */
    public SequencedMap<String, String> toMap() {
        SequencedMap<String, String> map = new LinkedHashMap<>();
        map.put("learning_rate", Double.toString(learningRate));
        map.put("per_device_train_batch_size", Integer.toString(batchSize));
        map.put("gradient_accumulation_steps", Integer.toString(accumulation));
        map.put("num_train_epochs", Double.toString(epochs));
        map.put("max_steps", Integer.toString(maxSteps));
        map.put("lr_scheduler_type", schedule.key());
        map.put("warmup_steps", Integer.toString(warmupSteps));
        map.put("warmup_ratio", Double.toString(warmupRatio));
        map.put("weight_decay", Double.toString(weightDecay));
        map.put("adam_beta1", Double.toString(adamBeta1));
        map.put("adam_beta2", Double.toString(adamBeta2));
        map.put("adam_epsilon", Double.toString(adamEpsilon));
        map.put("max_grad_norm", Double.toString(maxGradNorm));
        map.put("loraplus_lr_ratio", Double.toString(loraplusLrRatio));
        map.put("loraplus_lr_embedding", Double.toString(loraplusLrEmbedding));
        map.put("max_length", Integer.toString(maxLength));
        map.put("group_by_length", Boolean.toString(groupByLength));
        map.put("gradient_checkpointing", Boolean.toString(gradientCheckpointing));
        map.put("seed", Long.toString(seed));
        map.put("eval_steps", Integer.toString(evalSteps));
        map.put("save_steps", Integer.toString(saveSteps));
        map.put("save_total_limit", Integer.toString(saveTotalLimit));
        map.put("early_stopping_patience", Integer.toString(earlyStoppingPatience));
        map.put("threads", Integer.toString(threads));
        map.put("dtype", dtype.name());
        map.put("weights", weights.toString());
        return map;
    }
}
