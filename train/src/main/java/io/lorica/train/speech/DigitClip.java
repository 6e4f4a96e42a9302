package io.lorica.train.speech;

/**
 * Digits that are said and shown one after another, each for the same time.
 *
 * @param features log-mel, {@code [bins, frames]}
 * @param film {@code [pictures, side, side]}, grey from 0 to 1
 * @param digits what is said and shown
 */
record DigitClip(float[] features, float[] film, int[] digits) {
    /** Digits of a clip. */
    static final int DIGITS = 4;

    /** Seconds of each, as a fraction of 25: how many pictures show it. */
    static final int PICTURES = 16;

    /** Feature frames of each, 100 a second. */
    static final int FRAMES = 4 * PICTURES;

    static final int SIDE = 28;
}
