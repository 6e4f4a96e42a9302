package io.lorica.serve.engine;

import io.lorica.model.Answer;
import io.lorica.model.Generation;
import io.lorica.model.Tokenizer;
import io.lorica.serve.mix.Blend;
import io.lorica.serve.mix.ServedAdapter;
import io.lorica.serve.pool.PagedCache;
import io.lorica.serve.pool.PrefixPages;
import io.lorica.tensor.LoricaException;
import java.util.Arrays;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** One request on its way through the engine. Only the engine's thread touches it, but for {@link #cancel}. */
final class Running implements Engine.Ticket {
    private final Request request;
    private final Listener listener;
    private final Answer answer;
    private final int limit;
    private final long arrival = System.nanoTime();
    private final StringBuilder fresh = new StringBuilder();
    private @Nullable Seat seat;
    private long[] tokens;
    private int count;
    private boolean begun;
    private boolean reading;
    private final Timeline timeline = new Timeline();
    private volatile boolean cancelled;

    /** @param limit most tokens to generate */
    Running(Request request, Listener listener, Tokenizer tokenizer, int limit) {
        this.request = request;
        this.listener = listener;
        this.limit = limit;
        tokens = request.prompt().clone();
        count = tokens.length;
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

    /** Tokens of prompt and answer so far. */
    int used() {
        return count;
    }

    /** Tokens chosen so far. */
    int generated() {
        return count - request.prompt().length;
    }

    /** Most tokens it may still generate. */
    int left() {
        return limit - generated();
    }

    /**
     * What a request holds while it runs.
     *
     * @param cache its keys and values
     * @param chain shares their pages with sequences that begin alike; null where that is switched off
     */
    record Seat(PagedCache cache, PrefixPages.@Nullable Chain chain) {}

    /** Null while it waits. */
    @Nullable
    Seat seat() {
        return seat;
    }

    void seat(@Nullable Seat value) {
        seat = value;
        if (value != null) {
            timeline.entered(request, value.cache().length(), begun);
            reading = true;
            begun = true;
        }
    }

    /** Whether it has run already, be it that it had to go back to the line. */
    boolean begun() {
        return begun;
    }

    Set<ServedAdapter> adapters() {
        return request.blend().parts().stream().map(Blend.Part::adapter).collect(Collectors.toSet());
    }

    /** Tokens of prompt and answer; what lies behind {@link #used} is not filled. */
    long[] tokens() {
        return tokens;
    }

    /** Tokens that the model has seen, as far as their keys and values are held. */
    int seen() {
        return seat == null ? 0 : seat.cache().length();
    }

    /** Tokens that the model has not seen yet. */
    int pendingTokens() {
        return count - seen();
    }

    /** The first {@code n} of them, for the next step. */
    long[] next(int n) {
        return Arrays.copyOfRange(tokens, seen(), seen() + n);
    }

    /** @param logits of the next token; overwritten */
    void advance(float[] logits) {
        fresh.setLength(0);
        TokenLogprobs logprobs = request.logprobs() < 0 ? null : TokenLogprobs.of(logits);
        answer.advance(logits);
        long token = answer.lastToken();
        if (count == tokens.length) {
            tokens = Arrays.copyOf(tokens, Math.min(2 * count, request.prompt().length + limit));
        }
        tokens[count++] = token;
        timeline.generated(request, generated(), reading);
        reading = false;
        listener.onPiece(new Listener.Piece(
                token, fresh.toString(), logprobs == null ? null : logprobs.report(token, request.logprobs())));
    }

    void finish() {
        Generation result = answer.result();
        timeline.ended(request, generated());
        listener.onEnd(new Listener.End.Finished(result));
    }

    void drop() {
        timeline.ended(request, generated());
        listener.onEnd(new Listener.End.Cancelled(request.prompt().length, generated()));
    }

    void fail(LoricaException error) {
        timeline.ended(request, generated());
        listener.onEnd(new Listener.End.Failed(error, request.prompt().length, generated()));
    }
}
