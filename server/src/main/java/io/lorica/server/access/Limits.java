package io.lorica.server.access;

import io.lorica.adapter.Options;

/**
 * How much a tenant may ask for; 0 is without limit.
 *
 * @param requestsPerMinute on average; a minute's worth may come at once
 * @param tokensPerMinute likewise, prompts and answers together. A request begins when there is any left and is charged
 *     when it ends, so the last one may overdraw, and the next waits until that is made up
 * @param tokensPerDay prompts and answers together; the day ends at midnight UTC
 */
public record Limits(int requestsPerMinute, int tokensPerMinute, long tokensPerDay) {
    public static final Limits NONE = new Limits(0, 0, 0);

    static Limits of(Options options) {
        return new Limits(
                options.integer("requests_per_minute", 0, 1, Integer.MAX_VALUE),
                options.integer("tokens_per_minute", 0, 1, Integer.MAX_VALUE),
                (long) options.number("tokens_per_day", 0, 1, 1e15));
    }
}
