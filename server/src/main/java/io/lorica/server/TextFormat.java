package io.lorica.server;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.serve.engine.Listener;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Answers as plain text, {@code /v1/completions}. */
final class TextFormat extends Format {
    private final Spelling spelling;

    TextFormat(Job job, Spelling spelling) {
        super(job, "cmpl-", "text_completion", "text_completion");
        this.spelling = spelling;
    }

    @Override
    @Nullable
    ObjectNode opening(int index) {
        String echo = job.echo(index);
        return echo.isEmpty() ? null : chunk(index, echo, List.of(), 0, null);
    }

    @Override
    void answer(ObjectNode node, int index, Choice choice) {
        node.put("text", job.echo(index) + choice.text());
    }

    @Override
    void piece(ObjectNode node, String text) {
        node.put("text", text);
    }

    @Override
    ObjectNode spelled(List<Listener.Piece> pieces, int offset) {
        return spelling.text(pieces, offset);
    }
}
