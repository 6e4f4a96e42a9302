package io.lorica.train.data;

import io.lorica.model.Batch;
import io.lorica.model.image.ImageProcessor;
import io.lorica.model.image.Picture;
import java.nio.file.Path;
import java.util.List;

/**
 * Images, in the order of their placeholders.
 *
 * @param files as {@link Picture#read(Path)} reads them
 * @param processor what the model wants done to them
 */
record Pictures(List<Path> files, ImageProcessor processor) implements Media {

    @Override
    public Batch with(Batch batch, List<Media> all) {
        List<Picture> pictures = all.stream()
                .flatMap(media -> ((Pictures) media).files.stream())
                .map(Picture::read)
                .toList();
        return batch.withImages(processor.pixels(pictures));
    }
}
