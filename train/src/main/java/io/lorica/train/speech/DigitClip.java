package io.lorica.train.speech;

import io.lorica.model.audio.Sound;
import io.lorica.model.image.Film;

/**
 * Digits that are said and shown one after another, each for the same time.
 *
 * @param sound at 16 kHz, as a file holds it
 * @param features log-mel, {@code [bins, frames]}
 * @param digits what is said and shown
 */
record DigitClip(Sound sound, float[] features, Film film, int[] digits) {
    /** Digits of a clip. */
    static final int DIGITS = 4;

    /** Seconds of each, as a fraction of 25: how many pictures show it. */
    static final int PICTURES = 16;

    /** Feature frames of each, 100 a second. */
    static final int FRAMES = 4 * PICTURES;

    static final int SIDE = 28;
}
