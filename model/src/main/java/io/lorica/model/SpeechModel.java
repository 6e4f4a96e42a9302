package io.lorica.model;

import java.util.List;
import java.util.Optional;

/**
 * A decoder that reads recordings of speech as tokens before the text: sound, lips, or both, at a rate of compression that is
 * chosen anew for each batch ({@link Batch#withSpeech}).
 */
public interface SpeechModel extends CausalModel {

    /** What hears; empty for a model that only sees. */
    Optional<AudioEncoder> ears();

    /** What sees; empty for a model that only hears. */
    Optional<VideoEncoder> eyes();

    /** Every scale it has projectors for, video by video. */
    List<Rates> scales();

    /** Stands in a prompt where a token of a recording belongs; no text uses it. */
    long placeholder();

    /**
     * The prompt with the places of a recording after its first token: {@code [BOS] <audio> A </audio> <video> V </video>
     * [rest]}, a stream that the rates lack left out.
     *
     * @param text begins with the model's first token
     * @param audioFrames states of the sound before compression, as {@link Speech} has them
     * @param videoFrames states of the pictures
     * @throws io.lorica.tensor.LoricaException.BadInput if the model lacks the rates, or a stream is shorter than one token
     */
    long[] prompt(long[] text, int audioFrames, int videoFrames, Rates rates);
}
