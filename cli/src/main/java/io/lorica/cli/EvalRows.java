package io.lorica.cli;

import com.fasterxml.jackson.databind.JsonNode;
import io.lorica.model.Pretrained;
import io.lorica.tensor.LoricaException;
import io.lorica.train.data.DataFormat;
import io.lorica.train.data.PromptEncoder;
import io.lorica.train.data.Row;
import io.lorica.train.data.Rows;
import io.lorica.train.data.Senses;
import io.lorica.train.data.Template;
import io.lorica.train.eval.ExactMatch;
import io.lorica.train.eval.MultipleChoice;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Rows of a data file as questions of an evaluation. */
final class EvalRows {
    private static final Pattern FORMAT = Pattern.compile("(?s)Answer format: (\\S+)\\s*$");

    private EvalRows() {}

    /** Questions with a reference answer: question/answer, prompt/completion or alpaca rows. */
    static List<ExactMatch.Question> answers(Path file, Pretrained base, Senses senses) {
        PromptEncoder encoder = new PromptEncoder(base.tokenizer(), Template.AUTO);
        List<ExactMatch.Question> questions = new ArrayList<>();
        Rows.of(file).forEach(row -> {
            DataFormat format = DataFormat.detect(row);
            String column = switch (format) {
                case DataFormat.QuestionAnswer _ -> "answer";
                case DataFormat.PromptCompletion pair -> pair.completion();
                case DataFormat.Alpaca _ -> "output";
                case DataFormat.Chat _, DataFormat.Text _, DataFormat.Classification _ ->
                    throw row.bad("answers need question and answer, prompt and completion, or instruction and output");
            };
            Senses.Prompt prompt = senses.prompt(row, encoder.prompt(row, format));
            questions.add(new ExactMatch.Question(prompt.tokens(), prompt.media(), row.text(column)));
        });
        return questions;
    }

    /**
     * Questions with choices: {@code context}, {@code endings}, {@code label}; {@code question}, {@code choices},
     * {@code answer} (an index); or {@code instruction} that ends in {@code Answer format: a/b/c} with {@code answer}.
     */
    static List<MultipleChoice.Question> choices(Path file) {
        List<MultipleChoice.Question> questions = new ArrayList<>();
        Rows.of(file).forEach(row -> questions.add(choice(row)));
        return questions;
    }

    private static MultipleChoice.Question choice(Row row) {
        List<String> columns = row.columns();
        if (columns.containsAll(List.of("context", "endings", "label"))) {
            return question(row, row.text("context"), list(row, "endings"), index(row, "label"));
        }
        if (columns.containsAll(List.of("question", "choices", "answer"))) {
            return question(row, row.text("question") + "\nAnswer:", list(row, "choices"), index(row, "answer"));
        }
        if (columns.containsAll(List.of("instruction", "answer"))) {
            Matcher format = FORMAT.matcher(row.text("instruction"));
            if (!format.find()) {
                throw row.bad("column 'instruction' does not end in 'Answer format: a/b/c', which names the choices");
            }
            List<String> choices = List.of(format.group(1).split("/"));
            return question(
                    row,
                    row.text("instruction") + "\n\nthe correct answer is",
                    choices,
                    choices.indexOf(row.text("answer")));
        }
        throw row.bad(
                "multiple-choice needs context, endings, label; question, choices, answer; or instruction, answer;"
                        + " the row has " + columns);
    }

    private static MultipleChoice.Question question(Row row, String context, List<String> choices, int answer) {
        if (answer < 0 || answer >= choices.size()) {
            throw row.bad("the answer is none of the " + choices.size() + " choices");
        }
        return new MultipleChoice.Question(
                context, choices.stream().map(choice -> " " + choice).toList(), answer);
    }

    private static List<String> list(Row row, String column) {
        JsonNode node = row.required(column);
        if (!node.isArray()) {
            throw row.bad("column '" + column + "' must be a list of texts");
        }
        List<String> texts = new ArrayList<>();
        node.forEach(text -> texts.add(text.asText()));
        return texts;
    }

    private static int index(Row row, String column) {
        try {
            return Integer.parseInt(row.text(column));
        } catch (NumberFormatException e) {
            throw new LoricaException.BadInput(
                    row.where() + ": column '" + column + "' must be the index of the right choice, from 0", e);
        }
    }
}
