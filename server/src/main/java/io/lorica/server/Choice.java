package io.lorica.server;

import io.lorica.model.Generation;
import io.lorica.serve.engine.Listener;
import io.lorica.tensor.LoricaException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** One answer as far as it has come. */
final class Choice {
    private final StringBuilder text = new StringBuilder();
    private final List<Listener.Piece> pieces = new ArrayList<>();
    private @Nullable Generation result;

    void add(Listener.Piece piece) {
        text.append(piece.text());
        pieces.add(piece);
    }

    /** @throws LoricaException where it failed, or was cancelled by the server itself */
    void end(Listener.End end) {
        result = switch (end) {
            case Listener.End.Finished finished -> finished.answer();
            case Listener.End.Failed failed -> throw failed.error();
            case Listener.End.Cancelled _ -> throw new LoricaException.Busy("the answer was cancelled; try again");
        };
    }

    boolean ended() {
        return result != null;
    }

    String text() {
        return text.toString();
    }

    List<Listener.Piece> pieces() {
        return pieces;
    }

    int tokens() {
        return pieces.size();
    }

    /** OpenAI's word for why it ended; null while it has not. */
    @Nullable
    String finishReason() {
        Generation ended = result;
        return ended == null ? null : ended.finishReason().name().toLowerCase(Locale.ROOT);
    }
}
