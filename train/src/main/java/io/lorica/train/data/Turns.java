package io.lorica.train.data;

import com.fasterxml.jackson.databind.JsonNode;
import io.lorica.model.Message;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Rows as conversations. */
final class Turns {
    private static final Map<String, String> ROLES = Map.of("human", "user", "gpt", "assistant", "bot", "assistant");

    private Turns() {}

    /** The conversation that a row stands for; plain formats become one question and one answer. */
    static List<Message> of(Row row, DataFormat format) {
        return switch (format) {
            case DataFormat.Chat chat -> messages(row, chat.column());
            case DataFormat.PromptCompletion pair -> exchange(row.text(pair.prompt()), row.text(pair.completion()));
            case DataFormat.Alpaca _ -> exchange(instruction(row), row.text("output"));
            case DataFormat.QuestionAnswer _ -> exchange(row.text("question"), row.text("answer"));
            case DataFormat.Text _, DataFormat.Classification _ ->
                throw new IllegalArgumentException(format + " is no conversation");
        };
    }

    private static List<Message> exchange(String prompt, String completion) {
        return List.of(new Message("user", prompt), new Message("assistant", completion));
    }

    static String instruction(Row row) {
        String input = row.textOrEmpty("input");
        return input.isBlank() ? row.text("instruction") : row.text("instruction") + "\n\n" + input;
    }

    private static List<Message> messages(Row row, String column) {
        JsonNode list = row.required(column);
        if (!list.isArray() || list.isEmpty()) {
            throw row.bad("column '" + column + "' must be a list of {\"role\", \"content\"}, but is "
                    + (list.isArray() ? "an empty list" : Row.kind(list)));
        }
        List<Message> messages = new ArrayList<>();
        for (JsonNode turn : list) {
            messages.add(message(row, column + "[" + messages.size() + "]", turn));
        }
        return messages;
    }

    private static Message message(Row row, String where, JsonNode turn) {
        boolean pairs = turn.has("from");
        String role = string(row, where, turn, pairs ? "from" : "role");
        String content = string(row, where, turn, pairs ? "value" : "content");
        return new Message(pairs ? ROLES.getOrDefault(role, role) : role, content);
    }

    private static String string(Row row, String where, JsonNode turn, String field) {
        JsonNode value = turn.get(field);
        if (value == null || !value.isTextual()) {
            throw row.bad(where + " must have the text '" + field + "', but "
                    + (value == null
                            ? "is " + Row.kind(turn) + (turn.isObject() ? " with other fields" : "")
                            : "that is " + Row.kind(value)));
        }
        return value.asText();
    }
}
