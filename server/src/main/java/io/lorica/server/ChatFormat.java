package io.lorica.server;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.serve.engine.Listener;
import java.util.List;

/** Answers as turns of the assistant, {@code /v1/chat/completions}. */
final class ChatFormat extends Format {
    private final Spelling spelling;

    ChatFormat(Job job, Spelling spelling) {
        super(job, "chatcmpl-", "chat.completion", "chat.completion.chunk");
        this.spelling = spelling;
    }

    @Override
    ObjectNode opening(int index) {
        ObjectNode root = chunk(index, "", List.of(), 0, null);
        ((ObjectNode) root.at("/choices/0/delta")).put("role", "assistant").put("content", "");
        return root;
    }

    @Override
    void answer(ObjectNode node, int index, Choice choice) {
        node.putObject("message")
                .put("role", "assistant")
                .put("content", choice.text())
                .putNull("refusal");
    }

    @Override
    void piece(ObjectNode node, String text) {
        ObjectNode delta = node.putObject("delta");
        if (!text.isEmpty()) {
            delta.put("content", text);
        }
    }

    @Override
    ObjectNode spelled(List<Listener.Piece> pieces, int offset) {
        return spelling.chat(pieces);
    }
}
