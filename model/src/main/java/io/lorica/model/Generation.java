package io.lorica.model;

/**
 * A generated answer.
 *
 * @param text without special tokens, cut before the stop text that ended it
 * @param tokens as generated, with the end token where one came
 * @param seconds from the start of the prompt's forward pass
 */
public record Generation(String text, long[] tokens, FinishReason finishReason, int promptTokens, double seconds) {

    /** Why generation ended. */
    public enum FinishReason {
        /** An end token or a stop text came. */
        STOP,
        /** The most tokens asked for, or the model's context, were used up. */
        LENGTH
    }

    public double tokensPerSecond() {
        return tokens.length / seconds;
    }
}
