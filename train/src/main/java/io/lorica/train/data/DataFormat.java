package io.lorica.train.data;

import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Names;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What the columns of a data file mean. */
public sealed interface DataFormat {

    /** A list of {@code {role, content}} (or {@code {from, value}}) in one column. */
    record Chat(String column) implements DataFormat {}

    /** The completion is what the model shall say. */
    record PromptCompletion(String prompt, String completion) implements DataFormat {}

    /** {@code instruction}, {@code input} (may be empty or missing), {@code output}. */
    record Alpaca() implements DataFormat {}

    /** {@code question}, {@code answer}. */
    record QuestionAnswer() implements DataFormat {}

    /** Plain text, all of it learnt. */
    record Text(String column) implements DataFormat {}

    /** A text, or a pair of texts, with a class or a number. */
    record Classification(String text, Optional<String> pair, String label) implements DataFormat {}

    /** Settings that name columns explicitly. */
    List<String> SETTINGS = List.of(
            "messages_column", "prompt_column", "completion_column", "text_column", "pair_column", "label_column");

    String ACCEPTED = """
            accepted are: messages (a list of {role, content}); conversations (a list of {from, value}); \
            prompt, completion; instruction, [input], output; question, answer; \
            text or sentence with label; sentence1, sentence2, label; premise, hypothesis, label; text""";

    /** By the names of the columns alone. */
    static DataFormat detect(Row first) {
        return detect(first, Map.of());
    }

    /**
     * @param first the file's first row
     * @param mapping names of columns by {@link #SETTINGS}; empty to go by the usual names
     * @throws LoricaException.BadInput when no format fits, a setting is unknown, or a mapped column is missing
     */
    static DataFormat detect(Row first, Map<String, String> mapping) {
        List<String> columns = first.columns();
        check(first, columns, mapping);
        return mapped(first, mapping)
                .or(() -> usual(columns))
                .orElseThrow(() -> new LoricaException.BadInput(first.rows().file() + ": the columns are " + columns
                        + ", which is no known kind of data; " + ACCEPTED + "; rename the columns or name them with "
                        + "prompt_column, completion_column (or text_column, label_column)"));
    }

    private static void check(Row first, List<String> columns, Map<String, String> mapping) {
        List<String> faults = new ArrayList<>();
        mapping.forEach((setting, column) -> {
            if (!SETTINGS.contains(setting)) {
                faults.add("unknown setting '" + setting + "'" + Names.didYouMean(setting, SETTINGS));
            } else if (!columns.contains(column)) {
                faults.add(setting + " names '" + column + "', which is no column" + Names.didYouMean(column, columns));
            }
        });
        if (!faults.isEmpty()) {
            throw new LoricaException.BadInput(
                    first.rows().file() + ": " + String.join("; ", faults) + "; the file has the columns " + columns);
        }
    }

    private static Optional<DataFormat> mapped(Row first, Map<String, String> mapping) {
        if (mapping.isEmpty()) {
            return Optional.empty();
        }
        String prompt = mapping.get("prompt_column");
        String completion = mapping.get("completion_column");
        String text = mapping.get("text_column");
        String label = mapping.get("label_column");
        String messages = mapping.get("messages_column");
        if (messages != null) {
            return Optional.of(new Chat(messages));
        }
        if (prompt != null && completion != null) {
            return Optional.of(new PromptCompletion(prompt, completion));
        }
        if (text != null && label != null) {
            return Optional.of(new Classification(text, Optional.ofNullable(mapping.get("pair_column")), label));
        }
        if (text != null && mapping.size() == 1) {
            return Optional.of(new Text(text));
        }
        throw new LoricaException.BadInput(
                first.rows().file() + ": " + mapping.keySet() + " alone says too little; give"
                        + " prompt_column with completion_column, text_column with label_column (and pair_column), text_column,"
                        + " or messages_column");
    }

    private static Optional<DataFormat> usual(Collection<String> columns) {
        for (String chat : List.of("messages", "conversations")) {
            if (columns.contains(chat)) {
                return Optional.of(new Chat(chat));
            }
        }
        if (columns.containsAll(List.of("prompt", "completion"))) {
            return Optional.of(new PromptCompletion("prompt", "completion"));
        }
        if (columns.containsAll(List.of("instruction", "output"))) {
            return Optional.of(new Alpaca());
        }
        if (columns.containsAll(List.of("question", "answer"))) {
            return Optional.of(new QuestionAnswer());
        }
        return classification(columns)
                .or(() -> columns.contains("text") ? Optional.of(new Text("text")) : Optional.empty());
    }

    private static Optional<DataFormat> classification(Collection<String> columns) {
        if (!columns.contains("label")) {
            return Optional.empty();
        }
        for (List<String> pair : List.of(List.of("sentence1", "sentence2"), List.of("premise", "hypothesis"))) {
            if (columns.containsAll(pair)) {
                return Optional.of(new Classification(pair.get(0), Optional.of(pair.get(1)), "label"));
            }
        }
        for (String text : List.of("text", "sentence")) {
            if (columns.contains(text)) {
                return Optional.of(new Classification(text, Optional.empty(), "label"));
            }
        }
        return Optional.empty();
    }
}
