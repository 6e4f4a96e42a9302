package io.lorica.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.Adapter;
import io.lorica.adapter.AdapterConfig;
import io.lorica.adapter.AdapterStack;
import io.lorica.adapter.LoadOptions;
import io.lorica.adapter.Options;
import io.lorica.model.ModelStore;
import io.lorica.model.Pretrained;
import io.lorica.tensor.AtomicFile;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Memory;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Threads;
import io.lorica.train.AdapterTrainee;
import io.lorica.train.TrainConfig;
import io.lorica.train.TrainListener;
import io.lorica.train.Trainer;
import io.lorica.train.data.Example;
import io.lorica.train.data.ExampleReader;
import io.lorica.train.data.ReadOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * A fine-tuning job that both sides of {@link FinetuneBench} run: the same token ids and masks in the same order, from
 * the same first adapter values. Rank-{@code r} LoRA on all linear layers, AdamW at a constant rate without decay or
 * clipping.
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class) // as the peers' Python reads it
public record FinetuneJob(
        List<Row> examples,
        int steps,
        int batchSize,
        int threads,
        int seed,
        String dtype,
        int rank,
        int alpha,
        double learningRate,
        String adapter) {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** One example. */
    public record Row(long[] tokens, boolean[] supervised) {}

    /** Takes the first {@code steps * batchSize} rows of a data file as the model's tokenizer and template encode them. */
    public static FinetuneJob of(Path model, Path data, int steps, int batchSize, int rank, String dtype) {
        try (Pretrained base = ModelStore.standard().open(model.toString(), DType.BF16)) {
            List<Example> examples = new ExampleReader(base.tokenizer(), ReadOptions.ofLength(1024))
                    .read(data)
                    .examples();
            int count = steps * batchSize;
            if (examples.size() < count) {
                throw new LoricaException.BadInput(
                        data + " has " + examples.size() + " examples, " + count + " are needed");
            }
            List<Row> rows = examples.subList(0, count).stream()
                    .map(example -> new Row(example.tokens(), example.supervised()))
                    .toList();
            return new FinetuneJob(rows, steps, batchSize, 2, 1, dtype, rank, 2 * rank, 2e-4, "");
        }
    }

    /** Tokens of each step, all of them or the supervised ones. */
    int[] tokensPerStep(boolean supervised) {
        int[] tokens = new int[steps];
        for (int i = 0; i < steps * batchSize; i++) {
            Row row = examples.get(i);
            int count = row.tokens().length;
            if (supervised) {
                count = 0;
                for (boolean target : row.supervised()) {
                    count += target ? 1 : 0;
                }
            }
            tokens[i / batchSize] += count;
        }
        return tokens;
    }

    /** Writes the job, and beside it the adapter both sides start from. */
    void write(Path file, Path model) {
        Path first = file.resolveSibling("first");
        try (Pretrained base = ModelStore.standard().open(model.toString(), DType.BF16);
                Adapter adapter = Adapter.create(base.model(), config(), new Seed(seed))) {
            adapter.save(first);
        }
        FinetuneJob job = new FinetuneJob(
                examples, steps, batchSize, threads, seed, dtype, rank, alpha, learningRate, first.toString());
        AtomicFile.writeString(file, JSON.valueToTree(job).toString());
    }

    private AdapterConfig config() {
        ObjectNode settings =
                JSON.createObjectNode().put("r", rank).put("lora_alpha", alpha).put("target_modules", "all-linear");
        return AdapterConfig.of("lora", settings);
    }

    /** The Lorica side, as a process of its own: {@code model job.json}; prints one line of JSON. */
    public static void main(String[] arguments) throws IOException {
        Path model = Path.of(arguments[0]);
        FinetuneJob job = JSON.readValue(Path.of(arguments[1]).toFile(), FinetuneJob.class);
        Threads.set(job.threads());
        ObjectNode settings = JSON.createObjectNode()
                .put("learning_rate", job.learningRate())
                .put("per_device_train_batch_size", job.batchSize())
                .put("max_steps", job.steps())
                .put("lr_scheduler_type", "constant")
                .put("max_grad_norm", 0);
        TrainConfig config = TrainConfig.parse(new Options(settings, "job"));
        Path first = Path.of(job.adapter());
        List<Double> losses = new ArrayList<>();
        List<Double> seconds = new ArrayList<>();
        double[] firstStep = {0};
        TrainListener listener = new TrainListener() {
            @Override
            public void step(Step step) {
                losses.add(step.loss());
                seconds.add(step.seconds());
                if (step.step() == 1) {
                    firstStep[0] = sinceStart();
                }
            }
        };
        try (Pretrained base = ModelStore.standard().open(model.toString(), DType.parse(job.dtype()));
                AdapterStack stack = new AdapterStack(base.model())) {
            Adapter adapter = Adapter.load(base.model(), first, LoadOptions.STRICT.withTraining());
            stack.add("default", adapter).activate("default");
            AdapterTrainee trainee = new AdapterTrainee(base.causal(), adapter, new Seed(job.seed()));
            List<Example> examples = job.examples().stream()
                    .map(row -> Example.ofTokens(row.tokens(), row.supervised()))
                    .toList();
            new Trainer(trainee, config, listener)
                    .inGivenOrder()
                    .train(
                            examples,
                            List.of(),
                            new Trainer.Run(Files.createTempDirectory("lorica-bench"), Map.of(), false));
        }
        ObjectNode result = JSON.createObjectNode();
        result.set("losses", JSON.valueToTree(losses));
        result.set("stepSeconds", JSON.valueToTree(seconds));
        result.put("firstStepSeconds", firstStep[0])
                .put("peakBytes", Memory.peak().orElse(0));
        System.out.println(result);
    }

    private static double sinceStart() {
        long started = java.lang.management.ManagementFactory.getRuntimeMXBean().getStartTime();
        return (System.currentTimeMillis() - started) / 1e3;
    }
}
