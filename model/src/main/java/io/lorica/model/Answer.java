package io.lorica.model;

import java.util.Arrays;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** One sequence while it is generated: fed with logits, it chooses tokens and gives out text until it is finished. */
public final class Answer {
    private final int promptTokens;
    private final int limit;
    private final Set<Long> endIds;
    private final Sampler sampler;
    private final TokenStream stream;
    private final StopFilter filter;
    private final Consumer<String> onText;
    private final StringBuilder text = new StringBuilder();
    private final long start = System.nanoTime();
    private long[] tokens;
    private int count;
    private Generation.@Nullable FinishReason reason;
    private double seconds;

    /**
     * @param limit most tokens to generate
     * @param index which of several answers of one seed: each draws its own numbers
     * @param onText receives the text piece by piece, in whole characters and without the stop text
     */
    public Answer(
            Tokenizer tokenizer, long[] prompt, Sampling sampling, int limit, int index, Consumer<String> onText) {
        promptTokens = prompt.length;
        this.limit = limit;
        this.onText = onText;
        endIds = sampling.ignoreEos() ? Set.of() : tokenizer.endIds();
        sampler = new Sampler(sampling, prompt, index);
        stream = tokenizer.stream(true);
        filter = new StopFilter(sampling.stop());
        tokens = new long[Math.min(64, limit)];
    }

    /**
     * Chooses the next token and shows what text it completes.
     *
     * @param logits {@code [vocab]}, overwritten
     */
    public void advance(float[] logits) {
        long token = sampler.next(logits);
        if (count == tokens.length) {
            tokens = Arrays.copyOf(tokens, Math.min(2 * count, limit));
        }
        tokens[count++] = token;
        if (endIds.contains(token)) {
            finish(Generation.FinishReason.STOP);
            return;
        }
        show(filter.add(stream.add(token)));
        if (filter.stopped()) {
            finish(Generation.FinishReason.STOP);
        } else if (count == limit) {
            finish(Generation.FinishReason.LENGTH);
        }
    }

    private void finish(Generation.FinishReason why) {
        show(filter.add(stream.finish()));
        show(filter.finish());
        reason = filter.stopped() ? Generation.FinishReason.STOP : why;
        seconds = (System.nanoTime() - start) / 1e9;
    }

    private void show(String piece) {
        if (!piece.isEmpty()) {
            text.append(piece);
            onText.accept(piece);
        }
    }

    public boolean finished() {
        return reason != null;
    }

    public long lastToken() {
        return tokens[count - 1];
    }

    /** The whole answer, once it is finished. */
    public Generation result() {
        if (reason == null) {
            throw new IllegalStateException("the answer is not finished");
        }
        return new Generation(text.toString(), Arrays.copyOf(tokens, count), reason, promptTokens, seconds);
    }
}
