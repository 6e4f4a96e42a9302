package io.lorica.serve.engine;

import io.lorica.model.Sampling;
import io.lorica.serve.mix.Blend;

/**
 * One answer to be generated.
 *
 * @param prompt token ids, special tokens included
 * @param index which of several answers to the same prompt and seed: each draws its own numbers
 * @param logprobs how many of the most likely tokens to report with each token (0: only the token's own log
 *     probability); -1 for no log probabilities
 * @param blend adapters that act; they must stay loaded until {@link Listener#onEnd}
 * @param tenant on whose account it goes; tenants are served in turn
 */
public record Request(long[] prompt, Sampling sampling, int index, int logprobs, Blend blend, String tenant) {

    /** A request of nobody in particular. */
    public Request(long[] prompt, Sampling sampling, int index, int logprobs, Blend blend) {
        this(prompt, sampling, index, logprobs, blend, "");
    }
}
