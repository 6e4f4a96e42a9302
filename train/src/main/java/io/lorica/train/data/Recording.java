package io.lorica.train.data;

import io.lorica.model.Batch;
import io.lorica.model.Rates;
import io.lorica.model.Speech;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Sound and pictures of somebody who speaks, at one scale.
 *
 * @param audio null where the scale has none or the text stands alone, as is {@code video}
 */
record Recording(@Nullable Path audio, @Nullable Path video, Rates rates, EncodedRecordings encoded) implements Media {

    @Override
    public Batch with(Batch batch, List<Media> all) {
        List<Tensor> sounds = new ArrayList<>();
        List<Tensor> films = new ArrayList<>();
        for (Media media : all) {
            Recording recording = (Recording) media;
            if (recording.audio != null) {
                sounds.add(encoded.audio(recording.audio));
            }
            if (recording.video != null) {
                films.add(encoded.video(recording.video));
            }
        }
        return batch.withSpeech(new Speech(sounds, films, rates));
    }
}
