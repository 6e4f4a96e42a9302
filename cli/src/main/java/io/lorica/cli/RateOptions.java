package io.lorica.cli;

import io.lorica.adapter.Scales;
import io.lorica.model.Pretrained;
import io.lorica.model.Rates;
import io.lorica.model.SpeechModel;
import io.lorica.tensor.LoricaException;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Option;

/** How far the recordings of a model of speech are compressed. */
final class RateOptions {

    @Option(
            names = "--audio-rate",
            paramLabel = "N",
            description = "Frames of sound for a token, 0 without sound (a model of speech).")
    int audio;

    @Option(
            names = "--video-rate",
            paramLabel = "N",
            description = "Pictures for a token, 0 without pictures (a model of speech).")
    int video;

    boolean given() {
        return audio != 0 || video != 0;
    }

    Rates rates() {
        return new Rates(audio, video);
    }

    /**
     * The scales that were asked for: that of the options, else all that the adapter was trained for, else all that the model
     * knows. None for a model that reads no recordings.
     */
    List<Rates> scales(Pretrained base, Optional<Scales> adapter) {
        if (!(base.model() instanceof SpeechModel model)) {
            if (given()) {
                throw new LoricaException.Incompatible(base.reference()
                        + " reads no recordings, so it has no rates; leave --audio-rate and --video-rate out");
            }
            return List.of();
        }
        return given() ? List.of(rates()) : adapter.map(Scales::scales).orElseGet(model::scales);
    }
}
