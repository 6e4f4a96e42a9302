package io.lorica.model;

import java.util.List;
import org.bytedeco.pytorch.Tensor;

/**
 * What the sequences of a batch hear and see, before compression: the states of the frozen encoders, which are the same at
 * every rate and so are computed once.
 *
 * @param audio {@code [frames, width]} for each sequence that has a recording; empty where {@code rates} has no audio
 * @param video likewise for pictures
 * @param rates of compression, one for the whole batch
 */
public record Speech(List<Tensor> audio, List<Tensor> video, Rates rates) {

    /** The same recordings, compressed otherwise. */
    public Speech at(Rates others) {
        return new Speech(others.audio() == 0 ? List.of() : audio, others.video() == 0 ? List.of() : video, others);
    }
}
