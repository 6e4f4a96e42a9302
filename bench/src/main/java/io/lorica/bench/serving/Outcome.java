package io.lorica.bench.serving;

/**
 * What became of a request.
 *
 * @param at seconds after the beginning at which it was sent
 * @param firstToken seconds from there to the first token; not a number where none came
 * @param seconds from there to the end of the answer; not a number where it was refused or cut off
 * @param tokens of the answer that came
 * @param status HTTP's; 0 where the connection ended without an answer
 */
record Outcome(double at, double firstToken, double seconds, int tokens, int status) {

    boolean finished() {
        return !Double.isNaN(seconds);
    }

    boolean refused() {
        return status != 200 && status != 0;
    }
}
