package io.lorica.server;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.serve.engine.Listener;
import java.security.SecureRandom;
import java.time.Instant;
import java.util.HexFormat;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** How answers to one request are written: the two APIs differ in little but the names. */
abstract class Format {
    private static final SecureRandom RANDOM = new SecureRandom();

    private final String id;
    private final String whole;
    private final String chunk;
    private final long created = Instant.now().getEpochSecond();
    final Job job;

    /**
     * @param prefix of the answer's id
     * @param whole what a complete answer is called
     * @param chunk what a piece of one is called
     */
    Format(Job job, String prefix, String whole, String chunk) {
        this.job = job;
        this.whole = whole;
        this.chunk = chunk;
        byte[] bytes = new byte[12];
        RANDOM.nextBytes(bytes);
        id = prefix + HexFormat.of().formatHex(bytes);
    }

    /** All answers at once. */
    final ObjectNode whole(List<Choice> choices) {
        ObjectNode root = root(whole);
        var array = root.putArray("choices");
        for (int i = 0; i < choices.size(); i++) {
            Choice choice = choices.get(i);
            ObjectNode node = array.addObject().put("index", i);
            answer(node, i, choice);
            node.set("logprobs", logprobs(choice.pieces(), 0));
            node.put("finish_reason", choice.finishReason());
        }
        usage(root, choices);
        return root;
    }

    /**
     * One piece of one answer.
     *
     * @param text what is new
     * @param pieces the tokens that are new
     * @param offset characters of the answer before them
     * @param finishReason null while it goes on
     */
    final ObjectNode chunk(
            int index, String text, List<Listener.Piece> pieces, int offset, @Nullable String finishReason) {
        ObjectNode root = root(chunk);
        ObjectNode node = root.putArray("choices").addObject().put("index", index);
        piece(node, text);
        node.set("logprobs", pieces.isEmpty() ? null : logprobs(pieces, offset));
        node.put("finish_reason", finishReason);
        if (job.streamUsage()) {
            root.putNull("usage");
        }
        return root;
    }

    /** The last piece of a stream that counts tokens. */
    final ObjectNode usage(List<Choice> choices) {
        ObjectNode root = root(chunk);
        root.putArray("choices");
        usage(root, choices);
        return root;
    }

    private ObjectNode root(String object) {
        return JsonNodeFactory.instance
                .objectNode()
                .put("id", id)
                .put("object", object)
                .put("created", created)
                .put("model", job.model());
    }

    private void usage(ObjectNode root, List<Choice> choices) {
        int prompt = job.promptTokens();
        int answer = choices.stream().mapToInt(Choice::tokens).sum();
        root.putObject("usage")
                .put("prompt_tokens", prompt)
                .put("completion_tokens", answer)
                .put("total_tokens", prompt + answer);
    }

    private @Nullable ObjectNode logprobs(List<Listener.Piece> pieces, int offset) {
        return job.logprobs() < 0 ? null : spelled(pieces, offset);
    }

    /** The first piece of an answer, before any token; null where the API has none. */
    abstract @Nullable ObjectNode opening(int index);

    abstract void answer(ObjectNode node, int index, Choice choice);

    abstract void piece(ObjectNode node, String text);

    abstract ObjectNode spelled(List<Listener.Piece> pieces, int offset);
}
