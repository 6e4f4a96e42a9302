package io.lorica.serve.engine;

import io.lorica.model.Generation;
import io.lorica.tensor.LoricaException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Who waits for an answer. Called on the engine's thread, which serves everybody: implementations must not block. */
public interface Listener {

    /**
     * One generated token.
     *
     * @param text what it completes, in whole characters; empty while a stop text may have begun
     * @param logprobs null where none were asked for
     */
    record Piece(long token, String text, @Nullable Logprobs logprobs) {}

    /**
     * Natural logarithms of probabilities, of the model's own distribution (before temperature and the like).
     *
     * @param logprob of the chosen token
     * @param top the most likely tokens, the likeliest first
     */
    record Logprobs(double logprob, List<Candidate> top) {}

    /** A token that might have been chosen. */
    record Candidate(long token, double logprob) {}

    /** How an answer ended. */
    sealed interface End {

        record Finished(Generation answer) implements End {}

        /** @param tokens generated before the client went away */
        record Cancelled(int promptTokens, int tokens) implements End {}

        /** @param tokens generated before that */
        record Failed(LoricaException error, int promptTokens, int tokens) implements End {}
    }

    void onPiece(Piece piece);

    /** Exactly once for every request, and last: from here on the engine uses none of the request's adapters. */
    void onEnd(End end);
}
