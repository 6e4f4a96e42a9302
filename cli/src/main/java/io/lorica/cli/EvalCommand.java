package io.lorica.cli;

import io.lorica.model.CausalModel;
import io.lorica.model.ClassifierModel;
import io.lorica.model.Pretrained;
import io.lorica.model.Rates;
import io.lorica.model.Tokenizer;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Names;
import io.lorica.train.data.Example;
import io.lorica.train.data.ExampleReader;
import io.lorica.train.data.Labels;
import io.lorica.train.data.ReadOptions;
import io.lorica.train.data.Senses;
import io.lorica.train.eval.EvalResult;
import io.lorica.train.eval.EvalTask;
import io.lorica.train.eval.ExactMatch;
import io.lorica.train.eval.LabelScores;
import io.lorica.train.eval.MultipleChoice;
import io.lorica.train.eval.Perplexity;
import io.lorica.train.eval.WordErrorRate;
import io.lorica.train.report.Table;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.concurrent.Callable;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code lorica eval}: how well a model, with or without an adapter, does on a data file. */
@Command(
        name = "eval",
        header = "Measure a model, with or without an adapter, on a data file.",
        description = {
            "perplexity: loss of the targets, of any data that lorica train reads.",
            "exact-match: greedy answers; the final number, or else the text, must be the reference's (GSM8K).",
            "word-error-rate: greedy answers; words put in, left out or exchanged, over the words of the reference.",
            "classification: accuracy, macro-F1 and Matthews' correlation, or those of a regression, of rows with a label.",
            "multiple-choice: log-likelihood of each choice, raw (acc) and by length (acc_norm).",
            "Of recordings every scale that the adapter knows is measured, unless rates are given.",
            "Built-in tasks (--list-tasks) read the shared data sets, with lm-evaluation-harness's zero-shot prompts."
        },
        footer = {
            "",
            "Example: lorica eval --model smollm2-135m-instruct --adapter runs/first --task perplexity --data test.jsonl"
        })
final class EvalCommand implements Callable<Integer> {

    /** What is measured on a file of one's own. */
    private static final List<String> KINDS =
            List.of("perplexity", "exact-match", "word-error-rate", "multiple-choice", "classification");

    @Mixin
    @SuppressWarnings("NullAway.Init")
    BaseOptions base;

    @Option(
            names = "--task",
            paramLabel = "NAME",
            defaultValue = "perplexity",
            description =
                    "perplexity, exact-match, word-error-rate, multiple-choice or classification of --data, or a built-in"
                            + " task such as piqa (default: ${DEFAULT-VALUE}).")
    @SuppressWarnings("NullAway.Init")
    String task;

    @Option(
            names = "--data",
            paramLabel = "FILE",
            description = "JSONL, CSV or Parquet; a built-in task has its own file under LORICA_DATA.")
    @Nullable
    Path data;

    @Option(names = "--limit", paramLabel = "N", description = "Only the first N rows.")
    int limit = Integer.MAX_VALUE;

    @Option(
            names = "--max-tokens",
            paramLabel = "N",
            defaultValue = "256",
            description = "Longest answer of exact-match and word-error-rate (default: ${DEFAULT-VALUE}).")
    int maxTokens;

    @Option(
            names = "--max-length",
            paramLabel = "N",
            defaultValue = "1024",
            description = "Longest example of perplexity (default: ${DEFAULT-VALUE}).")
    int maxLength;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    RateOptions rates;

    @Option(names = "--json", description = "One JSON object.")
    boolean json;

    @Option(names = "--list-tasks", help = true, description = "Only list the built-in tasks.")
    boolean listTasks;

    private final Console console;

    EvalCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        if (listTasks) {
            list();
            return 0;
        }
        if (limit < 1) {
            throw new LoricaException.BadInput("--limit is " + limit + ", but must be at least 1");
        }
        EvalTask builtIn = builtIn();
        Path file = file(builtIn);
        try (Session session = Session.open(base, "bfloat16", console)) {
            EvalResult result = measure(session, builtIn, file);
            if (json) {
                console.json(result.json());
            } else {
                console.print(result.table());
            }
        }
        return 0;
    }

    /** The built-in task of that name; null for a kind of task on a data file. */
    @Nullable
    EvalTask builtIn() {
        if (KINDS.contains(task)) {
            return null;
        }
        List<String> names = new ArrayList<>(KINDS);
        EvalTask.ALL.forEach(known -> names.add(known.name()));
        if (!names.contains(task)) {
            throw new LoricaException.BadInput("--task '" + task + "' is unknown" + Names.didYouMean(task, names)
                    + " (known: " + String.join(", ", names) + ")");
        }
        return EvalTask.named(task);
    }

    Path file(@Nullable EvalTask builtIn) {
        if (data == null && builtIn != null) {
            return builtIn.locate(System.getenv());
        }
        if (data == null) {
            throw new LoricaException.BadInput(
                    "--task " + task + " needs --data FILE; built-in tasks have their own," + " see --list-tasks");
        }
        if (!Files.isRegularFile(data)) {
            throw new LoricaException.NotFound("the data file " + data + " does not exist");
        }
        return data;
    }

    private void list() {
        Table table = new Table("task", "file under LORICA_DATA", "prompt");
        EvalTask.ALL.forEach(known -> table.row(known.name(), known.file(), known.source()));
        console.print(table.text());
    }

    /** Recordings at each of the scales, all else once. */
    private EvalResult measure(Session session, @Nullable EvalTask builtIn, Path file) {
        List<Rates> scales = rates.scales(session.pretrained(), session.scales());
        if (scales.isEmpty()) {
            return measure(session.pretrained(), Senses.of(session.pretrained()), builtIn, file);
        }
        SequencedMap<Rates, EvalResult> results = new LinkedHashMap<>();
        for (Rates scale : scales) {
            results.put(scale, measure(session.pretrained(), session.sensesAt(scale), builtIn, file));
        }
        return EvalResult.byScale(results);
    }

    /** The task on a model that is loaded. */
    EvalResult measure(Pretrained model, Senses senses, @Nullable EvalTask builtIn, Path file) {
        if (builtIn == null) {
            return measure(model, senses, file);
        }
        return builtIn.question() == null
                ? answers(model, senses, file, ExactMatch::of)
                : multipleChoice(model.causal(), model.tokenizer(), builtIn.questions(file));
    }

    private EvalResult measure(Pretrained model, Senses senses, Path file) {
        Tokenizer tokenizer = model.tokenizer();
        return switch (task) {
            case "classification" -> classify(model.classifier(), tokenizer, file);
            case "exact-match" -> answers(model, senses, file, ExactMatch::of);
            case "word-error-rate" -> answers(model, senses, file, WordErrorRate::of);
            case "multiple-choice" -> multipleChoice(model.causal(), tokenizer, EvalRows.choices(file));
            default -> {
                List<Example> examples = first(new ExampleReader(tokenizer, senses, ReadOptions.ofLength(maxLength))
                        .read(file)
                        .examples());
                yield shown(examples.size(), done -> Perplexity.of(model.causal(), tokenizer, examples, done));
            }
        };
    }

    private EvalResult classify(ClassifierModel model, Tokenizer tokenizer, Path file) {
        Labels labels = Labels.of(model);
        ReadOptions options = ReadOptions.ofLength(Math.min(maxLength, model.contextLength()));
        List<Example> examples =
                first(new ExampleReader(tokenizer, options).read(file, labels).examples());
        return shown(examples.size(), done -> LabelScores.of(task, model, examples, labels, done));
    }

    /** What is told of greedy answers. */
    @FunctionalInterface
    private interface AnswerMeasure {
        EvalResult of(
                String task,
                CausalModel model,
                Tokenizer tokenizer,
                List<ExactMatch.Question> questions,
                int maxTokens,
                IntConsumer done);
    }

    private EvalResult answers(Pretrained base, Senses senses, Path file, AnswerMeasure measure) {
        CausalModel model = base.causal();
        List<ExactMatch.Question> questions = first(EvalRows.answers(file, base, senses));
        return shown(questions.size(), done -> measure.of(task, model, base.tokenizer(), questions, maxTokens, done));
    }

    private EvalResult multipleChoice(CausalModel model, Tokenizer tokenizer, List<MultipleChoice.Question> all) {
        List<MultipleChoice.Question> questions = first(all);
        int choices = questions.stream()
                .mapToInt(question -> question.options().size())
                .sum();
        return shown(choices, done -> MultipleChoice.of(task, model, tokenizer, questions, done));
    }

    private <T> List<T> first(List<T> rows) {
        return rows.subList(0, Math.min(limit, rows.size()));
    }

    private EvalResult shown(int total, java.util.function.Function<IntConsumer, EvalResult> work) {
        try (Progress progress = new Progress(console, task, total, "items", 1)) {
            return work.apply(done -> progress.at(done, ""));
        }
    }
}
