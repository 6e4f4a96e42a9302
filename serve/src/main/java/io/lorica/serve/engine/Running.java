package io.lorica.serve.engine;

import io.lorica.model.Answer;
import io.lorica.model.Generation;
import io.lorica.model.SequenceCache;
import io.lorica.model.Tokenizer;
import io.lorica.tensor.LoricaException;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** One request on its way through the engine. Only the engine's thread touches it, but for {@link #cancel}. */
final class Running implements Engine.Ticket {
    private final Request request;
    private final Listener listener;
    private final Answer answer;
    private final int limit;
    private final long arrival = System.nanoTime();
    private final StringBuilder fresh = new StringBuilder();
    private @Nullable SequenceCache cache;
    private long[] pending;
    private int generated;
    private volatile boolean cancelled;

    /** @param limit most tokens to generate */
    Running(Request request, Listener listener, Tokenizer tokenizer, int limit) {
        this.request = request;
        this.listener = listener;
        this.limit = limit;
        pending = request.prompt();
        answer = new Answer(tokenizer, request.prompt(), request.sampling(), limit, request.index(), fresh::append);
    }

    Request request() {
        return request;
    }

    @Override
    public void cancel() {
        cancelled = true;
    }

    boolean cancelled() {
        return cancelled;
    }

    boolean finished() {
        return answer.finished();
    }

    long waitedNanos() {
        return System.nanoTime() - arrival;
    }

    /** Tokens whose keys and values it holds or is about to. */
    int used() {
        return request.prompt().length + generated;
    }

    /** Tokens chosen so far. */
    int generated() {
        return generated;
    }

    /** Most tokens it may still generate. */
    int left() {
        return limit - generated;
    }

    SequenceCache cache(int layers) {
        SequenceCache own = cache;
        if (own == null) {
            own = SequenceCache.growing(layers);
            cache = own;
        }
        return own;
    }

    /** Tokens that the model has not seen yet. */
    int pendingTokens() {
        return pending.length;
    }

    /** The first {@code count} of them, for the next step. */
    long[] next(int count) {
        return Arrays.copyOf(pending, count);
    }

    /** They have been through the model. */
    void passed(int count) {
        pending = Arrays.copyOfRange(pending, count, pending.length);
    }

    /** @param logits of the next token; overwritten */
    void advance(float[] logits) {
        fresh.setLength(0);
        TokenLogprobs logprobs = request.logprobs() < 0 ? null : TokenLogprobs.of(logits);
        answer.advance(logits);
        generated++;
        long token = answer.lastToken();
        pending = new long[] {token};
        listener.onPiece(new Listener.Piece(
                token, fresh.toString(), logprobs == null ? null : logprobs.report(token, request.logprobs())));
    }

    void finish() {
        Generation result = answer.result();
        free();
        listener.onEnd(new Listener.End.Finished(result));
    }

    void drop() {
        free();
        listener.onEnd(new Listener.End.Cancelled(request.prompt().length, generated));
    }

    void fail(LoricaException error) {
        free();
        listener.onEnd(new Listener.End.Failed(error, request.prompt().length, generated));
    }

    private void free() {
        if (cache != null) {
            cache.close();
            cache = null;
        }
    }
}
