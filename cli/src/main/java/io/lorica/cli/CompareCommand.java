package io.lorica.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.Methods;
import io.lorica.model.ModelStore;
import io.lorica.model.Pretrained;
import io.lorica.tensor.LoricaException;
import io.lorica.train.FineTune;
import io.lorica.train.TrainListener;
import io.lorica.train.compare.Cell;
import io.lorica.train.compare.Comparison;
import io.lorica.train.compare.Summary;
import io.lorica.train.data.Senses;
import io.lorica.train.eval.EvalTask;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code lorica compare}: several methods on the same data and seeds. */
@Command(
        name = "compare",
        header = "Train several methods on the same data and seeds, side by side.",
        description =
                "Settings are those of lorica train and hold for all methods; METHOD.KEY=VALUE (or a block METHOD:"
                        + " in --config) is for one, and null takes a setting from it. Writes comparison.md, .json and .png. Finished runs are kept: the same"
                        + " command goes on where it was stopped.",
        footer = {
            "",
            "Example: lorica compare --methods lora,dora --model lorica-tiny --data rows.jsonl --seeds 0,1,2"
                    + " --set target_modules=all-linear --set lora.r=8 --out runs/compared"
        })
final class CompareCommand implements Callable<Integer> {

    @Option(names = "--methods", required = true, split = ",", paramLabel = "NAME", description = "See lorica methods.")
    List<String> methods = List.of();

    @Option(names = "--model", required = true, paramLabel = "REF", description = "Base model.")
    @SuppressWarnings("NullAway.Init")
    String model;

    @Option(names = "--data", required = true, paramLabel = "FILE", description = "Training rows.")
    @SuppressWarnings("NullAway.Init")
    Path data;

    @Option(
            names = "--eval-data",
            paramLabel = "FILE",
            description = "Held-out rows (default: some of the data, the same for every seed).")
    @Nullable
    Path evalData;

    @Option(
            names = "--seeds",
            split = ",",
            paramLabel = "N",
            defaultValue = "0",
            description = "One run for each (default: ${DEFAULT-VALUE}); two or more give an interval.")
    List<Integer> seeds = List.of();

    @Option(names = "--config", paramLabel = "FILE", description = "Settings as YAML.")
    @Nullable
    Path config;

    @Option(names = "--set", paramLabel = "KEY=VALUE", description = "A setting; stands before --config.")
    List<String> set = List.of();

    @Option(
            names = "--task",
            paramLabel = "NAME",
            description = "A metric beside the losses, as lorica eval --task names it.")
    @Nullable
    String task;

    @Option(
            names = "--task-data",
            paramLabel = "FILE",
            description = "Rows of --task; a built-in task has its own file under LORICA_DATA.")
    @Nullable
    Path taskData;

    @Option(names = "--limit", paramLabel = "N", description = "Only the first N rows of --task-data.")
    int limit = Integer.MAX_VALUE;

    @Option(names = "--out", required = true, paramLabel = "DIR", description = "Where runs and tables go.")
    @SuppressWarnings("NullAway.Init")
    Path out;

    @Option(names = "--json", description = "The result as one JSON object.")
    boolean json;

    private final Console console;

    CompareCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        requireDistinct("--methods", methods);
        requireDistinct("--seeds", seeds);
        Comparison.Metric metric = metric();
        List<FineTune.Spec> runs = runs();
        try (FetchProgress fetch = new FetchProgress(console)) {
            Comparison comparison = new Comparison(ModelStore.standard(fetch), metric);
            try (Interrupt _ = new Interrupt(comparison::stop, console)) {
                Optional<List<Cell>> cells = comparison.run(runs, this::listener);
                if (cells.isEmpty()) {
                    console.note("stopped; to go on, give the same command again");
                    return 1;
                }
                show(new Summary(
                        String.join(", ", methods) + " on " + model + ", " + data.getFileName(),
                        command(),
                        task,
                        cells.get()));
                return 0;
            }
        }
    }

    private void show(Summary summary) {
        summary.write(out, cell -> directory(cell.method(), cell.seed()));
        if (json) {
            console.json(summary.json());
        } else {
            console.print(summary.table().text());
            console.print("written to " + out + ": comparison.md, comparison.json, comparison.png");
        }
    }

    private TrainListener listener(FineTune.Spec spec) {
        return new TrainProgress(
                console, spec.method() + " seed " + spec.training().seed());
    }

    private List<FineTune.Spec> runs() {
        ObjectNode settings = Settings.read(config, set);
        List<FineTune.Spec> runs = new ArrayList<>();
        for (int seed : seeds) {
            for (String method : methods) {
                ObjectNode own = own(method, settings).put("seed", seed);
                RunSettings run = RunSettings.parse(method, own, "settings of " + method);
                runs.add(new FineTune.Spec(
                        model,
                        data,
                        evalData,
                        run.heldOut(),
                        method,
                        run.adapter(),
                        null,
                        run.training(),
                        run.template(),
                        run.columns(),
                        directory(method, seed),
                        false));
            }
        }
        return runs;
    }

    private Path directory(String method, long seed) {
        return out.resolve(method + "-seed" + seed);
    }

    /** What all methods share, and what is for this one; a null of its own takes a shared setting away. */
    private ObjectNode own(String method, ObjectNode settings) {
        ObjectNode own = JsonNodeFactory.instance.objectNode();
        ObjectNode special = JsonNodeFactory.instance.objectNode();
        for (Map.Entry<String, JsonNode> entry : settings.properties()) {
            String key = entry.getKey();
            int dot = key.indexOf('.');
            if (Methods.names().contains(key) && entry.getValue() instanceof ObjectNode block) {
                if (key.equals(method)) {
                    special.setAll(block);
                }
            } else if (dot > 0 && Methods.names().contains(key.substring(0, dot))) {
                if (key.substring(0, dot).equals(method)) {
                    special.set(key.substring(dot + 1), entry.getValue());
                }
            } else {
                own.set(key, entry.getValue());
            }
        }
        own.setAll(special);
        own.properties().removeIf(entry -> entry.getValue().isNull());
        if (own.has("seed")) {
            throw new LoricaException.BadInput("the setting seed is given by --seeds; leave it out");
        }
        return own;
    }

    private Comparison.@Nullable Metric metric() {
        if (task == null) {
            if (taskData != null) {
                throw new LoricaException.BadInput("--task-data needs --task; name what to measure on it");
            }
            return null;
        }
        if (limit < 1) {
            throw new LoricaException.BadInput("--limit is " + limit + ", but must be at least 1");
        }
        EvalCommand eval = new EvalCommand(console);
        eval.task = task;
        eval.data = taskData;
        eval.limit = limit;
        eval.maxTokens = 256;
        eval.maxLength = 1024;
        EvalTask builtIn = eval.builtIn();
        Path rows = eval.file(builtIn);
        return new Comparison.Metric() {
            @Override
            public String name() {
                return task + " " + rows + " " + limit;
            }

            @Override
            public double measure(Pretrained trained) {
                return eval.measure(trained, Senses.of(trained), builtIn, rows)
                        .values()
                        .firstEntry()
                        .getValue()
                        .value();
            }
        };
    }

    private String command() {
        List<String> words = new ArrayList<>(List.of("lorica compare --methods " + String.join(",", methods)));
        words.add("--model " + model);
        words.add("--data " + data);
        if (evalData != null) {
            words.add("--eval-data " + evalData);
        }
        words.add("--seeds "
                + String.join(",", seeds.stream().map(String::valueOf).toList()));
        if (config != null) {
            words.add("--config " + config);
        }
        set.forEach(setting -> words.add("--set " + setting));
        if (task != null) {
            words.add("--task " + task + (taskData == null ? "" : " --task-data " + taskData)
                    + (limit < Integer.MAX_VALUE ? " --limit " + limit : ""));
        }
        words.add("--out " + out);
        return String.join(" ", words);
    }

    private static void requireDistinct(String option, List<?> values) {
        if (new HashSet<>(values).size() < values.size()) {
            throw new LoricaException.BadInput(option + " names one twice: " + values + "; name each once");
        }
    }
}
