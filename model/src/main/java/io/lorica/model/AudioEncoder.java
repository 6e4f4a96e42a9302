package io.lorica.model;

import org.bytedeco.pytorch.Tensor;

/** A transformer over the log-mel features of sound. */
public interface AudioEncoder extends BaseModel {

    /** Numbers of one feature frame, of which there are 100 a second. */
    int melBins();

    /** Width of its states. */
    int width();

    /** The most states it has positions for; features may be twice as many frames. */
    int maxStates();

    /**
     * States at half the rate of the features.
     *
     * @param features {@code [clips, melBins, frames]}, of {@link io.lorica.model.audio.LogMel}
     * @return {@code [clips, ceil(frames / 2), width]}, owned by the caller's innermost scope
     */
    Tensor states(Tensor features, Pass pass);
}
