package io.lorica.train.data;

import io.lorica.model.VisionLanguageModel;
import io.lorica.model.image.ImageProcessor;
import io.lorica.model.image.Picture;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The images of rows, as a model sees them: {@code image} (a path, taken from the data file's folder) or {@code images} (a
 * list of such), each with one {@code <image>} in the text, which becomes as many tokens as an image has embeddings. None
 * of them is a target.
 *
 * @param token id of the placeholder
 * @param tokensPerImage how many it becomes
 */
record Sight(long token, int tokensPerImage, ImageProcessor processor) implements Senses {
    static final String[] COLUMNS = {"image", "images"};

    static Sight of(VisionLanguageModel seeing, Path directory) {
        return new Sight(seeing.imageToken(), seeing.tokensPerImage(), ImageProcessor.read(directory));
    }

    @Override
    public Example example(Attached attached, Encoded encoded) {
        List<Path> files = attached.files(COLUMNS);
        for (Path file : files) {
            Picture.fault(file).ifPresent(fault -> {
                throw attached.bad(fault);
            });
        }
        Encoded whole = expand(attached, encoded, files.size());
        return Example.ofTokens(whole.tokens(), whole.supervised())
                .with(files.isEmpty() ? null : new Pictures(files, processor));
    }

    /** The tokens with as many placeholders for each image as it has embeddings. */
    private Encoded expand(Attached attached, Encoded encoded, int images) {
        long places = Arrays.stream(encoded.tokens()).filter(id -> id == token).count();
        if (places != images) {
            throw attached.bad("it has " + images + (images == 1 ? " image, but " : " images, but ") + places
                    + " <image> in its text; write one where each image belongs");
        }
        int[] sources = IntStream.range(0, encoded.tokens().length)
                .flatMap(i -> IntStream.generate(() -> i).limit(encoded.tokens()[i] == token ? tokensPerImage : 1))
                .toArray();
        long[] tokens =
                Arrays.stream(sources).mapToLong(i -> encoded.tokens()[i]).toArray();
        boolean[] supervised = new boolean[sources.length];
        for (int i = 0; i < sources.length; i++) {
            supervised[i] = encoded.supervised()[sources[i]] && tokens[i] != token;
        }
        return new Encoded(tokens, supervised, encoded.resplit());
    }

    @Override
    public boolean lost(Example whole, Example cut) {
        return Senses.fewer(token, whole, cut);
    }
}
