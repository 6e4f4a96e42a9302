package io.lorica.cli;

import io.lorica.model.CausalModel;
import io.lorica.model.ClassifierModel;
import io.lorica.model.Tokenizer;
import io.lorica.tensor.LoricaException;
import io.lorica.train.data.Example;
import io.lorica.train.data.ExampleReader;
import io.lorica.train.data.Labels;
import io.lorica.train.data.ReadOptions;
import io.lorica.train.eval.EvalResult;
import io.lorica.train.eval.ExactMatch;
import io.lorica.train.eval.LabelScores;
import io.lorica.train.eval.MultipleChoice;
import io.lorica.train.eval.Perplexity;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.function.IntConsumer;
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
            "classification: accuracy, macro-F1 and Matthews' correlation, or those of a regression, of rows with a label.",
            "multiple-choice: log-likelihood of each choice, raw (acc) and by length (acc_norm)."
        },
        footer = {
            "",
            "Example: lorica eval --model smollm2-135m-instruct --adapter runs/first --task perplexity --data test.jsonl"
        })
final class EvalCommand implements Callable<Integer> {

    /** What is measured. */
    enum Task {
        PERPLEXITY,
        EXACT_MATCH,
        MULTIPLE_CHOICE,
        CLASSIFICATION;

        /** As on the command line. */
        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT).replace('_', '-');
        }
    }

    @Mixin
    @SuppressWarnings("NullAway.Init")
    BaseOptions base;

    @Option(
            names = "--task",
            defaultValue = "perplexity",
            description = "${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}).")
    @SuppressWarnings("NullAway.Init")
    Task task;

    @Option(names = "--data", required = true, paramLabel = "FILE", description = "JSONL, CSV or Parquet.")
    @SuppressWarnings("NullAway.Init")
    Path data;

    @Option(names = "--limit", paramLabel = "N", description = "Only the first N rows.")
    int limit = Integer.MAX_VALUE;

    @Option(
            names = "--max-tokens",
            paramLabel = "N",
            defaultValue = "256",
            description = "Longest answer of exact-match (default: ${DEFAULT-VALUE}).")
    int maxTokens;

    @Option(
            names = "--max-length",
            paramLabel = "N",
            defaultValue = "1024",
            description = "Longest example of perplexity (default: ${DEFAULT-VALUE}).")
    int maxLength;

    @Option(names = "--json", description = "One JSON object.")
    boolean json;

    private final Console console;

    EvalCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        if (!Files.isRegularFile(data)) {
            throw new LoricaException.NotFound("the data file " + data + " does not exist");
        }
        if (limit < 1) {
            throw new LoricaException.BadInput("--limit is " + limit + ", but must be at least 1");
        }
        try (Session session = Session.open(base, "bfloat16", console)) {
            EvalResult result = task == Task.CLASSIFICATION
                    ? classify(session.pretrained().classifier(), session.tokenizer())
                    : measure(session.causal(), session.tokenizer());
            if (json) {
                console.json(result.json());
            } else {
                console.print(result.table());
            }
        }
        return 0;
    }

    private EvalResult classify(ClassifierModel model, Tokenizer tokenizer) {
        Labels labels = Labels.of(model);
        ReadOptions options = ReadOptions.ofLength(Math.min(maxLength, model.contextLength()));
        List<Example> examples = first(
                new ExampleReader(tokenizer, options).read(data, labels).examples());
        return shown(examples.size(), done -> LabelScores.of(task.toString(), model, examples, labels, done));
    }

    private EvalResult measure(CausalModel model, Tokenizer tokenizer) {
        return switch (task) {
            case PERPLEXITY -> {
                List<Example> examples = first(new ExampleReader(tokenizer, ReadOptions.ofLength(maxLength))
                        .read(data)
                        .examples());
                yield shown(examples.size(), done -> Perplexity.of(model, tokenizer, examples, done));
            }
            case EXACT_MATCH -> {
                List<ExactMatch.Question> questions = first(EvalRows.answers(data, tokenizer));
                yield shown(
                        questions.size(),
                        done -> ExactMatch.of(task.toString(), model, tokenizer, questions, maxTokens, done));
            }
            case MULTIPLE_CHOICE -> {
                List<MultipleChoice.Question> questions = first(EvalRows.choices(data));
                int choices = questions.stream()
                        .mapToInt(question -> question.choices().size())
                        .sum();
                yield shown(choices, done -> MultipleChoice.of(task.toString(), model, tokenizer, questions, done));
            }
            case CLASSIFICATION -> throw new IllegalStateException("needs a classifier");
        };
    }

    private <T> List<T> first(List<T> rows) {
        return rows.subList(0, Math.min(limit, rows.size()));
    }

    private EvalResult shown(int total, java.util.function.Function<IntConsumer, EvalResult> work) {
        try (Progress progress = new Progress(console, task.toString(), total, "items", 1)) {
            return work.apply(done -> progress.at(done, ""));
        }
    }
}
