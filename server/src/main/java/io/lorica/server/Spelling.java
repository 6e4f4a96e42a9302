package io.lorica.server;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.model.Tokenizer;
import io.lorica.serve.engine.Listener;
import java.util.List;

/**
 * Log probabilities in the two shapes of OpenAI's APIs. A token is spelled as it decodes alone, so one that is only a
 * part of a character reads as the replacement character; the same goes for its {@code bytes}, as in vLLM.
 */
record Spelling(Tokenizer tokenizer) {

    /** The tokens of one answer, the end token left out. */
    private List<Listener.Piece> shown(List<Listener.Piece> pieces) {
        return pieces.stream()
                .filter(piece -> !tokenizer.endIds().contains(piece.token()))
                .toList();
    }

    private String text(long token) {
        // a model may have more rows than its vocabulary has tokens
        return token < tokenizer.vocabularySize() ? tokenizer.decode(new long[] {token}, false) : "<|" + token + "|>";
    }

    /** {@code {"content": [{"token", "logprob", "bytes", "top_logprobs"}]}}. */
    ObjectNode chat(List<Listener.Piece> pieces) {
        ObjectNode root = JsonNodeFactory.instance.objectNode();
        ArrayNode content = root.putArray("content");
        for (Listener.Piece piece : shown(pieces)) {
            Listener.Logprobs logprobs = piece.logprobs();
            if (logprobs != null) {
                ObjectNode entry = entry(content.addObject(), piece.token(), logprobs.logprob());
                ArrayNode top = entry.putArray("top_logprobs");
                logprobs.top().forEach(candidate -> entry(top.addObject(), candidate.token(), candidate.logprob()));
            }
        }
        root.putNull("refusal");
        return root;
    }

    private ObjectNode entry(ObjectNode entry, long token, double logprob) {
        String text = text(token);
        entry.put("token", text).put("logprob", finite(logprob));
        ArrayNode bytes = entry.putArray("bytes");
        for (byte value : text.getBytes(UTF_8)) {
            bytes.add(value & 0xFF);
        }
        return entry;
    }

    /**
     * {@code {"tokens", "token_logprobs", "top_logprobs", "text_offset"}}.
     *
     * @param offset characters of the answer before these tokens
     */
    ObjectNode text(List<Listener.Piece> pieces, int offset) {
        ObjectNode root = JsonNodeFactory.instance.objectNode();
        ArrayNode tokens = root.putArray("tokens");
        ArrayNode values = root.putArray("token_logprobs");
        ArrayNode tops = root.putArray("top_logprobs");
        ArrayNode offsets = root.putArray("text_offset");
        int at = offset;
        for (Listener.Piece piece : shown(pieces)) {
            Listener.Logprobs logprobs = piece.logprobs();
            if (logprobs != null) {
                tokens.add(text(piece.token()));
                values.add(finite(logprobs.logprob()));
                offsets.add(at);
                ObjectNode top = tops.addObject();
                top.put(text(piece.token()), finite(logprobs.logprob()));
                // the likelier of two tokens that read alike comes first and stays
                logprobs.top()
                        .forEach(candidate ->
                                top.putIfAbsent(text(candidate.token()), top.numberNode(finite(candidate.logprob()))));
            }
            at += piece.text().length();
        }
        return root;
    }

    /** JSON has no infinity; this is what vLLM writes for a probability of zero. */
    private static double finite(double logprob) {
        return Math.max(logprob, -9999.0);
    }
}
