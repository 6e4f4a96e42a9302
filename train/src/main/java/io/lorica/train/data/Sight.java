package io.lorica.train.data;

import com.fasterxml.jackson.databind.JsonNode;
import io.lorica.model.Pretrained;
import io.lorica.model.VisionLanguageModel;
import io.lorica.model.image.ImageProcessor;
import io.lorica.model.image.Picture;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The images of rows, as a model sees them: {@code image} (a path, taken from the data file's folder) or {@code images} (a
 * list of such), each with one {@code <image>} in the text, which becomes as many tokens as an image has embeddings. None
 * of them is a target.
 *
 * @param token id of the placeholder
 * @param tokensPerImage how many it becomes
 */
public record Sight(long token, int tokensPerImage, ImageProcessor processor) {
    private static final List<String> COLUMNS = List.of("image", "images");

    /** That of the model; empty where it sees no images. */
    public static Optional<Sight> of(Pretrained base) {
        return base.model() instanceof VisionLanguageModel seeing
                ? Optional.of(new Sight(seeing.imageToken(), seeing.tokensPerImage(), ImageProcessor.read(base.path())))
                : Optional.empty();
    }

    /** Refuses a row with images, for a model that sees none. */
    static void requireNone(Row row) {
        if (!paths(row).isEmpty()) {
            throw row.bad("it has an image, but the model sees none (name a llava model, or leave the column out)");
        }
    }

    /** The files of a row, each of which is an image that can be read. */
    List<Path> files(Row row) {
        Path data = row.rows().file().toAbsolutePath();
        List<Path> files = new ArrayList<>();
        for (String path : paths(row)) {
            Path file = data.resolveSibling(path);
            Picture.fault(file).ifPresent(fault -> {
                throw row.bad(fault);
            });
            files.add(file);
        }
        return files;
    }

    private static List<String> paths(Row row) {
        List<String> paths = new ArrayList<>();
        for (String column : COLUMNS) {
            JsonNode value = row.values().path(column);
            if (value.isMissingNode() || value.isNull()) {
                continue;
            }
            for (JsonNode path : value.isArray() ? value : List.of(value)) {
                if (!path.isTextual()) {
                    throw row.bad("column '" + column + "' must be the path of an image or a list of paths, but holds "
                            + Row.kind(path));
                }
                paths.add(path.asText());
            }
        }
        return paths;
    }

    /** A prompt of a row with its images. */
    public record Prompt(long[] tokens, @Nullable Media media) {}

    /**
     * A row's prompt, its placeholders expanded.
     *
     * @param sight empty for a model that sees no images
     */
    public static Prompt prompt(Optional<Sight> sight, Row row, long[] tokens) {
        if (sight.isEmpty()) {
            requireNone(row);
            return new Prompt(tokens, null);
        }
        List<Path> files = sight.get().files(row);
        Encoded whole = sight.get().expand(row, new Encoded(tokens, new boolean[tokens.length], 0), files.size());
        return new Prompt(whole.tokens(), sight.get().pictures(files));
    }

    /** Null for none. */
    @Nullable
    Media pictures(List<Path> files) {
        return files.isEmpty() ? null : new Pictures(files, processor);
    }

    /** The tokens with as many placeholders for each image as it has embeddings. */
    Encoded expand(Row row, Encoded encoded, int images) {
        long places = Arrays.stream(encoded.tokens()).filter(id -> id == token).count();
        if (places != images) {
            throw row.bad("it has " + images + (images == 1 ? " image, but " : " images, but ") + places
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

    /** Whether a sequence that was cut has lost tokens of an image. */
    boolean lost(Example whole, Example cut) {
        return count(whole) != count(cut);
    }

    private long count(Example example) {
        return Arrays.stream(example.tokens()).filter(id -> id == token).count();
    }
}
