package io.lorica.train.eval;

import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Names;
import io.lorica.train.data.Layout;
import io.lorica.train.data.Row;
import io.lorica.train.data.Rows;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * An evaluation by name over a file of the shared data sets, which lie in the directory that {@code LORICA_DATA} names.
 *
 * <p>Prompts are those of lm-evaluation-harness without examples (zero-shot) where it has the task; {@link #source} says
 * where ours differ, so that numbers are compared only where they may be.
 *
 * @param file within the data directory
 * @param source of the prompt
 * @param question of a row; null where answers are generated and their final numbers compared
 */
public record EvalTask(
        String name,
        String file,
        @Nullable Layout layout,
        String source,
        @Nullable Function<Row, MultipleChoice.Question> question) {
    private static final String HARNESS = "as the harness";

    /** In the order of a list for people. */
    public static final List<EvalTask> ALL = List.of(
            new EvalTask("gsm8k", "gsm8k/test.jsonl", null, "own: the prompt of training, no examples", null),
            choices(
                    "boolq",
                    "boolq/test",
                    "the harness, but without the passage, which the file lacks",
                    Prompts::boolq),
            choices("piqa", "piqa/test", HARNESS, Prompts::question),
            choices("arc_easy", "ARC-Easy/test", HARNESS, Prompts::question),
            choices("arc_challenge", "ARC-Challenge/test", HARNESS, Prompts::question),
            choices("openbookqa", "openbookqa/test", HARNESS, Prompts::stem),
            choices("social_iqa", "social_i_qa/test", HARNESS, Prompts::social),
            choices("winogrande", "winogrande/test", HARNESS + " (partial scoring)", Prompts::winogrande),
            choices("hellaswag", "hellaswag/validation.1200", HARNESS + ", on 1,200 rows", Prompts::hellaswag),
            labels("sst2", "sst2/dev.tsv", Layout.tsv(), HARNESS, Prompts::sst2),
            labels(
                    "cola",
                    "cola/in_domain_dev.tsv",
                    Layout.tsv("source", "label", "mark", "sentence"),
                    HARNESS,
                    Prompts::cola),
            labels("mrpc", "mrpc/test.tsv", Layout.tsv(), HARNESS, Prompts::mrpc),
            labels("rte", "rte/dev.tsv", Layout.tsv(), HARNESS, Prompts::rte),
            labels("agnews", "agnews/test.2000.tsv", Layout.tsv("text", "label"), "own", Prompts::agnews),
            labels("trec", "trec-qc/test.txt", new Layout.Lines(), "own", Prompts::trec));

    private static EvalTask choices(
            String name, String file, String source, Function<Row, MultipleChoice.Question> question) {
        return new EvalTask(name, "commonsense/" + file + ".jsonl", null, source, question);
    }

    private static EvalTask labels(
            String name, String file, Layout layout, String source, Function<Row, MultipleChoice.Question> question) {
        return new EvalTask(name, "classify/" + file, layout, source, question);
    }

    /** @throws LoricaException.BadInput if there is none of that name */
    public static EvalTask named(String name) {
        List<String> names = ALL.stream().map(EvalTask::name).toList();
        return ALL.stream()
                .filter(task -> task.name.equals(name))
                .findFirst()
                .orElseThrow(() -> new LoricaException.BadInput("there is no evaluation task '" + name + "'"
                        + Names.didYouMean(name, names) + " (known: " + String.join(", ", names) + ")"));
    }

    /**
     * The file of this task.
     *
     * @param environment where {@code LORICA_DATA} is looked for
     * @throws LoricaException.NotFound if the variable is not set or the file is not there
     */
    public Path locate(Map<String, String> environment) {
        String root = environment.getOrDefault("LORICA_DATA", "");
        if (root.isBlank()) {
            throw new LoricaException.NotFound(
                    "task '" + name + "' reads " + file
                            + " from the shared data sets; set LORICA_DATA to their directory, or give your own file with --data");
        }
        Path path = Path.of(root).resolve(file);
        if (!Files.isRegularFile(path)) {
            throw new LoricaException.NotFound("task '" + name + "' needs " + path
                    + ", which does not exist; check LORICA_DATA, or give a file of the same form with --data");
        }
        return path;
    }

    /** The questions of a file of this task's form; only where {@link #question} is given. */
    public List<MultipleChoice.Question> questions(Path path) {
        Function<Row, MultipleChoice.Question> reader = question;
        if (reader == null) {
            throw new IllegalStateException(name + " has no choices");
        }
        List<MultipleChoice.Question> questions = new ArrayList<>();
        (layout == null ? Rows.of(path) : Rows.of(path, layout)).forEach(row -> questions.add(reader.apply(row)));
        return questions;
    }
}
