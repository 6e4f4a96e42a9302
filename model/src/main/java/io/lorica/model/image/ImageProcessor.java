package io.lorica.model.image;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.lorica.model.ModelConfig;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Tensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * What is done to a picture before a model sees it, as {@code preprocessor_config.json} says: resize, cut out the
 * middle, {@code (sample * rescale - mean) / std}. Equal to transformers' processors on Pillow (resized samples to the
 * bit, normalised values to 1e-5).
 *
 * @param resize null for no resizing
 * @param crop null for no cropping; where the picture is smaller the rest is black
 * @param mean one number per channel, as is {@code std}
 */
public record ImageProcessor(
        Resampling resampling,
        @Nullable Resize resize,
        @Nullable Size crop,
        double rescale,
        List<Double> mean,
        List<Double> std) {
    public static final String FILE = "preprocessor_config.json";

    /** In pixels. */
    public record Size(int height, int width) {}

    /** To an exact size, or so that the shorter side has a length. */
    public sealed interface Resize {
        record Exact(Size size) implements Resize {}

        record ShorterSide(int length) implements Resize {}
    }

    /** Reads the file of a model's directory. */
    public static ImageProcessor read(Path directory) {
        Path file = directory.resolve(FILE);
        try {
            return from(new ModelConfig(new ObjectMapper().readTree(Files.readString(file)), file.toString()));
        } catch (IOException e) {
            throw new LoricaException.BadInput(
                    "cannot read " + file + ": " + e + "; a model that sees images needs this file", e);
        }
    }

    public static ImageProcessor from(ModelConfig config) {
        boolean crops = config.flag("do_center_crop", config.has("crop_size"));
        boolean normalises = config.flag("do_normalize", true);
        List<Double> mean = normalises ? numbers(config, "image_mean") : List.of(0.0, 0.0, 0.0);
        List<Double> std = normalises ? numbers(config, "image_std") : List.of(1.0, 1.0, 1.0);
        if (mean.size() != std.size() || std.contains(0.0)) {
            throw new LoricaException.BadInput(config.where() + ": image_mean " + mean + " and image_std " + std
                    + " must be as long as each other, and no deviation may be 0");
        }
        return new ImageProcessor(
                Resampling.of(config),
                config.flag("do_resize", true) ? resize(config, crops) : null,
                crops ? size(config, "crop_size") : null,
                config.flag("do_rescale", true) ? config.number("rescale_factor", 1 / 255.0) : 1,
                mean,
                std);
    }

    private static List<Double> numbers(ModelConfig config, String key) {
        JsonNode list = config.json().path(key);
        boolean numbers = list.isArray() && !list.isEmpty();
        for (JsonNode entry : list) {
            numbers &= entry.isNumber();
        }
        if (!numbers) {
            throw new LoricaException.BadInput(
                    config.where() + ": key '" + key + "' is " + list + ", but must be a list of numbers");
        }
        return list.valueStream().map(JsonNode::doubleValue).toList();
    }

    /** Before transformers 4.27 a lone number stood for the shorter side in CLIP's files and for a square in ViT's. */
    private static Resize resize(ModelConfig config, boolean crops) {
        if (config.json().path("size").has("shortest_edge")) {
            return new Resize.ShorterSide(config.object("size").orElseThrow().integer("shortest_edge"));
        }
        return config.json().path("size").isInt() && crops
                ? new Resize.ShorterSide(config.integer("size"))
                : new Resize.Exact(size(config, "size"));
    }

    private static Size size(ModelConfig config, String key) {
        if (config.json().path(key).isInt()) {
            return new Size(config.integer(key), config.integer(key));
        }
        ModelConfig object = config.object(key)
                .orElseThrow(() -> new LoricaException.BadInput(config.where() + ": key '" + key + "' is missing"));
        return new Size(object.integer("height"), object.integer("width"));
    }

    /** Resized and cropped, not yet normalised. */
    public Picture fit(Picture picture) {
        Picture fitted = mean.size() == 3 ? picture.rgb() : picture;
        Size target = target(fitted);
        fitted = resampling.resize(fitted, target.width(), target.height());
        return crop == null
                ? fitted
                : fitted.crop(
                        Math.floorDiv(fitted.width() - crop.width(), 2),
                        Math.floorDiv(fitted.height() - crop.height(), 2),
                        crop.width(),
                        crop.height());
    }

    private Size target(Picture picture) {
        return switch (resize) {
            case null -> new Size(picture.height(), picture.width());
            case Resize.Exact exact -> exact.size();
            case Resize.ShorterSide side -> {
                long shorter = Math.min(picture.width(), picture.height());
                yield new Size(
                        Math.toIntExact(side.length() * (long) picture.height() / shorter),
                        Math.toIntExact(side.length() * (long) picture.width() / shorter));
            }
        };
    }

    /** {@code [pictures, channels, height, width]} float32 in the caller's innermost scope. */
    public Tensor pixels(List<Picture> pictures) {
        return normalised(pictures.stream().map(this::fit).toList());
    }

    /** As {@link #pixels} for pictures that already have the size the model takes. */
    public Tensor normalised(List<Picture> pictures) {
        Picture first = pictures.getFirst();
        int area = first.width() * first.height();
        int channels = mean.size();
        float[] values = new float[Math.multiplyExact(pictures.size(), channels * area)];
        int at = 0;
        for (Picture picture : pictures) {
            requireLike(first, picture);
            for (int channel = 0; channel < channels; channel++) {
                double shift = mean.get(channel);
                double factor = std.get(channel);
                for (int i = 0; i < area; i++) {
                    int sample = picture.samples()[i * channels + channel] & 0xff;
                    values[at++] = (float) ((sample * rescale - shift) / factor);
                }
            }
        }
        return Tensors.of(values, pictures.size(), channels, first.height(), first.width());
    }

    private void requireLike(Picture first, Picture picture) {
        if (picture.width() != first.width()
                || picture.height() != first.height()
                || picture.channels() != mean.size()) {
            throw new LoricaException.BadInput("an image of " + picture.width() + " x " + picture.height() + " with "
                    + picture.channels() + " channels cannot be in one batch with one of " + first.width() + " x "
                    + first.height() + " and " + mean.size() + " channels; resize or crop to one size in " + FILE);
        }
    }
}
