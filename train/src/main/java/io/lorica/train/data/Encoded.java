package io.lorica.train.data;

/**
 * Tokens with the marks of what is learnt.
 *
 * @param resplit how many borders of a completion fell inside a token of the whole text, so that the text was split
 *     there, as it is when a prompt is answered
 */
record Encoded(long[] tokens, boolean[] supervised, int resplit) {}
