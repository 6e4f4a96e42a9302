package io.lorica.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.model.ModelStore;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Memory;
import io.lorica.train.FineTune;
import io.lorica.train.MemoryPlan;
import io.lorica.train.Trainer;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code lorica train}: an adapter from a data file. */
@Command(
        name = "train",
        header = "Train an adapter on a data file.",
        description = "Settings are those of the method (lorica methods NAME), of adapters as PEFT spells them"
                + " (target_modules, modules_to_save …) and of training as transformers spells them (learning_rate,"
                + " num_train_epochs, per_device_train_batch_size …); see docs/training.md.",
        footer = {
            "",
            "Example: lorica train --model smollm2-135m-instruct --data rows.jsonl --out runs/first"
                    + " --set r=16 --set target_modules=all-linear --set learning_rate=2e-4"
        })
final class TrainCommand implements Callable<Integer> {

    @Option(names = "--model", paramLabel = "REF", description = "Base model; also key 'model' of --config.")
    @Nullable
    String model;

    @Option(
            names = "--data",
            paramLabel = "FILE",
            description =
                    "JSONL, CSV or Parquet: chat messages, prompt/completion, alpaca, question/answer, text, or text and label."
                            + " Also key 'data'.")
    @Nullable
    Path data;

    @Option(
            names = "--eval-data",
            paramLabel = "FILE",
            description =
                    "Held-out rows (default: a tenth of the data, at most 100; --set held_out=N). Also key 'eval_data'.")
    @Nullable
    Path evalData;

    @Option(names = "--method", description = "Method (default: lora); also key 'method'.")
    @Nullable
    String method;

    @Option(
            names = "--weights",
            paramLabel = "FORMAT",
            description = "How the frozen base is held: int8, int4, int4-64, int4-128, nf4, gguf, or dense (default);"
                    + " also key 'weights'.")
    @Nullable
    String weights;

    @Option(
            names = "--task-type",
            paramLabel = "TYPE",
            description = "CAUSAL_LM or SEQ_CLS, as PEFT calls them (default: by the data, rows with a label train a"
                    + " classifier); also key 'task_type'.")
    @Nullable
    String taskType;

    @Option(
            names = "--adapter",
            paramLabel = "DIR",
            description = "Go on from this adapter, with its method and settings, instead of a fresh one; also key"
                    + " 'adapter'.")
    @Nullable
    Path adapter;

    @Option(names = "--out", paramLabel = "DIR", description = "Run directory; also key 'out'.")
    @Nullable
    Path out;

    @Option(names = "--config", paramLabel = "FILE", description = "Settings as YAML.")
    @Nullable
    Path config;

    @Option(names = "--set", paramLabel = "KEY=VALUE", description = "A setting; stands before --config.")
    List<String> set = List.of();

    @Option(
            names = "--jobs",
            paramLabel = "FILE",
            description = "Train the jobs of this YAML file together on one base, each with its own settings and run"
                    + " directory (docs/training.md); goes with --resume and --json only.")
    @Nullable
    Path jobs;

    @Option(names = "--resume", description = "Go on from the newest checkpoint in --out.")
    boolean resume;

    @Option(
            names = "--verify",
            description = "Train nothing; show on this data that a step is the same however it is split: packed, as"
                    + " micro-batches, and as single examples. Exit code 1 where it is not.")
    boolean verify;

    @Option(
            names = "--dry-run",
            description = "Train nothing; list the resident memory that training and evaluation will take.")
    boolean dryRun;

    @Option(
            names = "--memory",
            paramLabel = "SIZE",
            description =
                    "Hold the run to this much resident memory (6GiB, 800MB): smaller micro-batches, then gradient"
                            + " checkpointing, the loss unchanged; refused where that is not enough.")
    @Nullable
    String memory;

    @Option(names = "--json", description = "The result as one JSON object.")
    boolean json;

    private final Console console;

    TrainCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        if (jobs != null) {
            requireOnlyJobs();
            return new TrainJobs(console, json).run(jobs, resume);
        }
        OptionalLong budget = memory == null ? OptionalLong.empty() : OptionalLong.of(Memory.parse(memory));
        FineTune.Spec spec = spec(Settings.read(config, set));
        try (TrainProgress progress = new TrainProgress(console, "train");
                FetchProgress fetch = new FetchProgress(console);
                FineTune job = FineTune.prepare(spec, ModelStore.standard(fetch), progress);
                Interrupt _ = new Interrupt(job::stop, console)) {
            describe(job);
            Optional<MemoryPlan> held = budget.stream().mapToObj(job::hold).findFirst();
            if (dryRun) {
                show(held.orElseGet(job::plan));
            } else {
                held.ifPresent(plan -> console.note(plan.summary()));
            }
            if (verify) {
                return VerifyReport.show(job.verify(), console, json);
            }
            return spec.out() == null ? 0 : finish(job.run(), spec.out(), progress);
        }
    }

    private void requireOnlyJobs() {
        boolean others = Stream.of(model, data, evalData, method, weights, taskType, adapter, out, config, memory)
                .anyMatch(Objects::nonNull);
        if (others || !set.isEmpty() || verify || dryRun) {
            throw new LoricaException.BadInput(
                    "--jobs goes with --resume and --json only; give the other settings in the file, under 'defaults' or in"
                            + " each job");
        }
    }

    private void show(MemoryPlan plan) {
        if (json) {
            console.json(plan.json());
        } else {
            console.print(plan.table());
            console.print(plan.summary());
        }
    }

    private FineTune.Spec spec(ObjectNode settings) {
        boolean trainsNothing = verify || dryRun;
        if ((trainsNothing && resume) || (verify && dryRun)) {
            throw new LoricaException.BadInput("--verify, --dry-run and --resume exclude each other; give one of them");
        }
        overrideBy("model", model, settings);
        overrideBy("data", data, settings);
        overrideBy("eval_data", evalData, settings);
        overrideBy("method", method, settings);
        overrideBy("adapter", adapter, settings);
        overrideBy("out", out, settings);
        overrideBy("task_type", taskType, settings);
        overrideBy("weights", weights, settings);
        if (weights != null && ModelOptions.dense(weights).isPresent()) {
            settings.put("weights", "dense");
            settings.put("dtype", weights);
        }
        return RunSettings.spec(settings, config == null ? "--set" : config.toString(), !trainsNothing, resume);
    }

    /** An option stands before the key of the same name. */
    private static void overrideBy(String key, @Nullable Object option, ObjectNode settings) {
        if (option != null) {
            settings.put(key, option.toString());
        }
    }

    private void describe(FineTune job) {
        var counts = job.data().counts();
        console.note("%d examples to learn from, %d held out; %s tokens, %s of them targets"
                .formatted(
                        job.split().train().size(),
                        job.split().heldOut().size(),
                        Units.count(counts.tokens()),
                        Units.count(counts.targets())));
        if (counts.truncated() > 0) {
            console.note(
                    "%d examples were cut at max_length; raise it to keep them whole".formatted(counts.truncated()));
        }
        if (counts.dropped() > 0) {
            console.note("%d rows had no target left and were dropped".formatted(counts.dropped()));
        }
        console.note("%s on %d sites, %s trained parameters"
                .formatted(
                        job.adapter().config().method().info().name(),
                        job.adapter().sites().size(),
                        Units.count(job.adapter().parameterCount())));
    }

    private int finish(Trainer.Outcome outcome, Path directory, TrainProgress progress) {
        progress.done();
        if (outcome.interrupted()) {
            console.note("stopped after step " + outcome.steps() + " with a checkpoint; to go on, give the same command"
                    + " with --resume");
            return 1;
        }
        if (json) {
            ObjectNode result = new ObjectMapper().createObjectNode();
            result.put("adapter", directory.toString());
            result.put("steps", outcome.steps());
            result.set("loss_before", finite(outcome.lossBefore()));
            result.set("loss_after", finite(outcome.lossAfter()));
            result.put("tokens_per_second", progress.tokensPerSecond());
            result.put("seconds", outcome.seconds());
            console.json(result);
        } else {
            console.print("held-out loss %.4f before, %.4f after %d steps in %s, %.0f tokens/s"
                    .formatted(
                            outcome.lossBefore(),
                            outcome.lossAfter(),
                            outcome.steps(),
                            Progress.text(java.time.Duration.ofMillis((long) (outcome.seconds() * 1000))),
                            progress.tokensPerSecond()));
            console.print("adapter    " + directory);
            console.print("loss curve " + directory.resolve("loss.png"));
        }
        return 0;
    }

    static com.fasterxml.jackson.databind.JsonNode finite(double value) {
        var nodes = com.fasterxml.jackson.databind.node.JsonNodeFactory.instance;
        return Double.isFinite(value) ? nodes.numberNode(value) : nodes.nullNode();
    }
}
