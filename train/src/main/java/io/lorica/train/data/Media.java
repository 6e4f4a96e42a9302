package io.lorica.train.data;

import io.lorica.model.Batch;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** What an example has beside its tokens. Only its place is kept; it is read when a batch is made. */
public interface Media {

    /**
     * The batch with the media of its examples.
     *
     * @param all of one kind, in the examples' order, this first
     */
    Batch with(Batch batch, List<Media> all);

    /** The batch with whatever its examples have, in the caller's innermost scope. */
    static Batch add(Batch batch, Stream<@Nullable Media> ofExamples) {
        List<Media> all = new ArrayList<>();
        ofExamples.forEach(media -> {
            if (media != null) {
                all.add(media);
            }
        });
        return all.isEmpty() ? batch : all.getFirst().with(batch, all);
    }
}
