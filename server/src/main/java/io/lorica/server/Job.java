package io.lorica.server;

import io.lorica.model.Sampling;
import java.util.List;

/**
 * What a request for generation asks, whichever of the two APIs it came through.
 *
 * @param model the base's name, an adapter or a blend
 * @param prompts token ids
 * @param n answers to each prompt
 * @param limited whether the request itself says how many tokens an answer may have; else the context may cut it
 * @param logprobs how many of the likeliest tokens to report; -1 for no log probabilities
 * @param echo text to give back before the answers of each prompt; empty for none
 * @param stream whether the answer comes piece by piece
 * @param streamUsage whether a stream ends with the numbers of tokens
 */
record Job(
        String model,
        List<long[]> prompts,
        int n,
        Sampling sampling,
        boolean limited,
        int logprobs,
        List<String> echo,
        boolean stream,
        boolean streamUsage) {

    int choices() {
        return prompts.size() * n;
    }

    long[] prompt(int choice) {
        return prompts.get(choice / n);
    }

    String echo(int choice) {
        return echo.isEmpty() ? "" : echo.get(choice / n);
    }

    int promptTokens() {
        return prompts.stream().mapToInt(prompt -> prompt.length).sum();
    }
}
