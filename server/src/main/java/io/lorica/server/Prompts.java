package io.lorica.server;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.Options;
import io.lorica.model.ChatTemplate;
import io.lorica.model.Message;
import io.lorica.model.Tokenizer;
import io.lorica.tensor.LoricaException;
import java.util.ArrayList;
import java.util.List;

/** Texts, token ids and conversations of requests, as the model's tokens. */
record Prompts(Tokenizer tokenizer) {
    private static final String MESSAGES = "request.messages";

    /** {@code prompt} or {@code input}: a text, texts, token ids, or lists of token ids. */
    List<long[]> texts(String key, JsonNode node) {
        if (node.isArray() && !node.isEmpty() && !node.get(0).isIntegralNumber()) {
            List<long[]> prompts = new ArrayList<>();
            node.forEach(entry -> prompts.add(one(key, entry)));
            return prompts;
        }
        return List.of(one(key, node));
    }

    private long[] one(String key, JsonNode node) {
        if (node.isTextual()) {
            return tokenizer.encode(node.textValue(), true);
        }
        if (!node.isArray() || node.isEmpty()) {
            throw wrong(key);
        }
        long[] ids = new long[node.size()];
        for (int i = 0; i < ids.length; i++) {
            JsonNode id = node.get(i);
            if (!id.isIntegralNumber()) {
                throw wrong(key);
            }
            ids[i] = id.longValue();
        }
        return ids;
    }

    private static LoricaException.BadInput wrong(String key) {
        return new LoricaException.BadInput("request: key '" + key
                + "' must be a text, a list of texts, a list of token ids, or a list of such lists, none of them"
                + " empty");
    }

    /** The text of token ids; for a text that was given, that text. */
    String shown(JsonNode node, long[] ids) {
        return node.isTextual() ? node.textValue() : tokenizer.decode(ids, true);
    }

    /** A conversation as the model's template writes it, up to the opening of the assistant's turn. */
    long[] conversation(JsonNode messages) {
        ChatTemplate template = tokenizer
                .chatTemplate()
                .orElseThrow(() -> new LoricaException.Unsupported(
                        "this model has no chat template, so it takes no conversation; use /v1/completions"));
        if (!messages.isArray() || messages.isEmpty()) {
            throw new LoricaException.BadInput(
                    "request: key 'messages' must be a list of at least one message, each with 'role' and 'content'");
        }
        List<Message> turns = new ArrayList<>();
        for (int i = 0; i < messages.size(); i++) {
            turns.add(message(MESSAGES + "[" + i + "]", messages.get(i)));
        }
        return tokenizer.encode(template.render(turns, true), false);
    }

    private static Message message(String where, JsonNode node) {
        if (!(node instanceof ObjectNode object)) {
            throw new LoricaException.BadInput(where + " is " + node + ", but must be an object");
        }
        Options options = new Options(object, where);
        String role =
                options.choice("role", "", List.of("system", "developer", "user", "assistant", "tool", "function"));
        if (role.equals("tool") || role.equals("function")) {
            throw new LoricaException.Unsupported(
                    where + ": key 'role' is '" + role + "', but this server calls no tools; leave such messages out");
        }
        String content = content(options);
        options.take("name"); // no template shows it
        options.take("refusal");
        for (String key : List.of("tool_calls", "function_call", "audio", "annotations")) {
            options.harmlessOnlyWhenEmpty(key, "more than text");
        }
        options.refuseUnknown();
        // OpenAI's newer word for the same; templates know the older one
        return new Message(role.equals("developer") ? "system" : role, content);
    }

    private static String content(Options options) {
        JsonNode content = options.take("content").orElse(null);
        if (content == null || content.isTextual()) {
            return content == null ? "" : content.textValue();
        }
        StringBuilder text = new StringBuilder();
        for (JsonNode part : content) {
            if (!part.path("type").asText().equals("text") || !part.path("text").isTextual()) {
                throw new LoricaException.Unsupported(options.where() + ": key 'content' holds " + brief(part)
                        + ", but this server reads text only: {\"type\": \"text\", \"text\": …}");
            }
            text.append(part.path("text").textValue());
        }
        if (!content.isArray()) {
            throw options.wrong("content", content, "a text or a list of parts");
        }
        return text.toString();
    }

    private static String brief(JsonNode node) {
        String text = node.toString();
        return text.length() <= 60 ? text : text.substring(0, 60) + "…";
    }
}
