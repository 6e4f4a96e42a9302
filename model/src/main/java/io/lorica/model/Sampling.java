package io.lorica.model;

import com.fasterxml.jackson.annotation.JsonProperty;
import io.lorica.tensor.LoricaException;
import java.util.ArrayList;
import java.util.List;

/**
 * How the next token is chosen, with the names and the meaning that Hugging Face's generation settings have. The steps
 * are taken in this order: repetition penalty, temperature, top-k, top-p, min-p, draw.
 *
 * @param temperature logits are divided by it; 0 takes the most likely token always (then top-k, top-p and min-p change
 *     nothing)
 * @param topK only the {@code k} most likely tokens, and those as likely as the last of them; 0 for all
 * @param topP only the smallest set of most likely tokens that has at least this probability together; 1 for all
 * @param minP only tokens at least this fraction as likely as the most likely one; 0 for all
 * @param repetitionPenalty logits of tokens already in the prompt or the answer are divided by it where positive and
 *     multiplied where negative (Keskar et al., CTRL, 2019, section 4.1); 1 for none
 * @param maxTokens most tokens to generate
 * @param stop texts that end the answer; they are not part of it
 * @param seed of the draws: the same seed, model and prompt give the same answer
 * @param ignoreEos goes on after a token that ends answers, up to {@code maxTokens} or a stop text, as vLLM's key of this
 *     name: for measurements, which want answers of a given length
 */
public record Sampling(
        @JsonProperty("temperature") double temperature,
        @JsonProperty("top_k") int topK,
        @JsonProperty("top_p") double topP,
        @JsonProperty("min_p") double minP,
        @JsonProperty("repetition_penalty") double repetitionPenalty,
        @JsonProperty("max_new_tokens") int maxTokens,
        @JsonProperty("stop_strings") List<String> stop,
        @JsonProperty("seed") long seed,
        @JsonProperty("ignore_eos") boolean ignoreEos) {

    public Sampling {
        List<String> faults = new ArrayList<>();
        require(temperature >= 0 && temperature < Double.POSITIVE_INFINITY, "temperature", temperature, ">= 0", faults);
        require(topK >= 0, "top_k", topK, ">= 0 (0: no limit)", faults);
        require(topP > 0 && topP <= 1, "top_p", topP, "above 0 and at most 1", faults);
        require(minP >= 0 && minP <= 1, "min_p", minP, "from 0 to 1", faults);
        require(
                repetitionPenalty > 0 && repetitionPenalty < Double.POSITIVE_INFINITY,
                "repetition_penalty",
                repetitionPenalty,
                "above 0 (1: none)",
                faults);
        require(maxTokens > 0, "max_new_tokens", maxTokens, "at least 1", faults);
        require(stop.stream().noneMatch(String::isEmpty), "stop_strings", stop, "texts that are not empty", faults);
        if (!faults.isEmpty()) {
            throw new LoricaException.BadInput(String.join("\n", faults));
        }
        stop = List.copyOf(stop);
    }

    /** An answer that may end by itself, as all but measurements want it. */
    public Sampling(
            double temperature,
            int topK,
            double topP,
            double minP,
            double repetitionPenalty,
            int maxTokens,
            List<String> stop,
            long seed) {
        this(temperature, topK, topP, minP, repetitionPenalty, maxTokens, stop, seed, false);
    }

    private static void require(boolean holds, String key, Object value, String expected, List<String> faults) {
        if (!holds) {
            faults.add("sampling: key '" + key + "' is " + value + ", but must be " + expected);
        }
    }

    /** The most likely token at every step. */
    public static Sampling greedy(int maxTokens) {
        return new Sampling(0, 0, 1, 0, 1, maxTokens, List.of(), 0);
    }

    public Sampling withTemperature(double value) {
        return new Sampling(value, topK, topP, minP, repetitionPenalty, maxTokens, stop, seed, ignoreEos);
    }

    public Sampling withTopK(int value) {
        return new Sampling(temperature, value, topP, minP, repetitionPenalty, maxTokens, stop, seed, ignoreEos);
    }

    public Sampling withTopP(double value) {
        return new Sampling(temperature, topK, value, minP, repetitionPenalty, maxTokens, stop, seed, ignoreEos);
    }

    public Sampling withMinP(double value) {
        return new Sampling(temperature, topK, topP, value, repetitionPenalty, maxTokens, stop, seed, ignoreEos);
    }

    public Sampling withRepetitionPenalty(double value) {
        return new Sampling(temperature, topK, topP, minP, value, maxTokens, stop, seed, ignoreEos);
    }

    public Sampling withStop(List<String> value) {
        return new Sampling(temperature, topK, topP, minP, repetitionPenalty, maxTokens, value, seed, ignoreEos);
    }

    public Sampling withSeed(long value) {
        return new Sampling(temperature, topK, topP, minP, repetitionPenalty, maxTokens, stop, value, ignoreEos);
    }

    public Sampling withIgnoreEos(boolean value) {
        return new Sampling(temperature, topK, topP, minP, repetitionPenalty, maxTokens, stop, seed, value);
    }
}
