package io.lorica.model;

import io.lorica.tensor.LoricaException;
import java.util.ArrayList;
import java.util.List;

/**
 * How far the streams of a recording are compressed before a language model reads them: so many frames become one token.
 *
 * @param audio from 1, or 0 where there is no sound
 * @param video from 1, or 0 where there are no pictures
 */
public record Rates(int audio, int video) {

    public Rates {
        if (audio < 0 || video < 0 || audio + video == 0) {
            throw new LoricaException.BadInput("rates of audio " + audio + " and video " + video
                    + " compress nothing; give at least one of them as a number from 1");
        }
    }

    /** Every pair, video by video as training goes through them; one list may be empty. */
    public static List<Rates> pairs(List<Integer> audio, List<Integer> video) {
        List<Rates> pairs = new ArrayList<>();
        for (int v : video.isEmpty() ? List.of(0) : video) {
            for (int a : audio.isEmpty() ? List.of(0) : audio) {
                pairs.add(new Rates(a, v));
            }
        }
        return pairs;
    }

    /** {@code a4}, {@code v2} or {@code a4_v2}: the key of what belongs to these rates in a file. */
    public String key() {
        if (audio == 0) {
            return "v" + video;
        }
        return video == 0 ? "a" + audio : "a" + audio + "_v" + video;
    }
}
