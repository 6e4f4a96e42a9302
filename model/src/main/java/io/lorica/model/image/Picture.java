package io.lorica.model.image;

import io.lorica.tensor.LoricaException;
import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.ComponentColorModel;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Iterator;
import java.util.Optional;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.ImageInputStream;

/**
 * Pixels in memory.
 *
 * @param samples row by row, the channels of a pixel side by side
 * @param channels 1 (grey) or 3 (red, green, blue)
 */
public record Picture(byte[] samples, int width, int height, int channels) {

    public Picture {
        if (samples.length != Math.multiplyExact(Math.multiplyExact(width, height), channels)) {
            throw new LoricaException.Internal(samples.length + " samples do not make a picture of " + width + " x "
                    + height + " with " + channels + " channels");
        }
    }

    /** A PNG, JPEG, BMP or GIF (its first frame) in red, green and blue; what is transparent shows as it is stored. */
    public static Picture read(Path file) {
        try (InputStream in = Files.newInputStream(file)) {
            return read(in, file.toString());
        } catch (IOException e) {
            throw new LoricaException.BadInput("cannot read the image " + file + ": " + e + "; check the path", e);
        }
    }

    /** What is wrong with a file by its header, before {@link #read(Path)} is asked for the whole; empty for nothing. */
    public static Optional<String> fault(Path file) {
        if (!Files.isRegularFile(file)) {
            return Optional.of("there is no image " + file);
        }
        try (ImageInputStream in = ImageIO.createImageInputStream(file.toFile())) {
            Iterator<ImageReader> readers = ImageIO.getImageReaders(in);
            if (!readers.hasNext()) {
                return Optional.of(file + " is no image that can be read (PNG, JPEG, BMP or GIF)");
            }
            ImageReader reader = readers.next();
            reader.setInput(in);
            reader.getWidth(0);
            reader.dispose();
            return Optional.empty();
        } catch (IOException e) {
            return Optional.of("the image " + file + " is broken: " + e.getMessage());
        }
    }

    /** @param where the image's name, for messages */
    public static Picture read(InputStream in, String where) throws IOException {
        BufferedImage image = ImageIO.read(in);
        if (image == null) {
            throw new LoricaException.BadInput(where + " is no image that can be read; use PNG, JPEG, BMP or GIF ("
                    + String.join(
                            ", ",
                            Arrays.stream(ImageIO.getReaderFormatNames())
                                    .sorted()
                                    .toList()) + ")");
        }
        return of(image);
    }

    /** An image in red, green and blue. Grey stays as it is stored: Java would take it for linear light and brighten it. */
    public static Picture of(BufferedImage image) {
        int width = image.getWidth();
        int height = image.getHeight();
        if (image.getColorModel() instanceof ComponentColorModel model
                && model.getColorSpace().getType() == ColorSpace.TYPE_GRAY) {
            int[] grey = image.getRaster().getSamples(0, 0, width, height, 0, (int[]) null);
            int surplus = model.getComponentSize(0) - 8;
            byte[] samples = new byte[grey.length];
            for (int i = 0; i < grey.length; i++) {
                samples[i] = (byte) (grey[i] >> surplus);
            }
            return new Picture(samples, width, height, 1).rgb();
        }
        int[] colours = image.getRGB(0, 0, width, height, null, 0, width);
        byte[] samples = new byte[3 * colours.length];
        for (int i = 0; i < colours.length; i++) {
            samples[3 * i] = (byte) (colours[i] >> 16);
            samples[3 * i + 1] = (byte) (colours[i] >> 8);
            samples[3 * i + 2] = (byte) colours[i];
        }
        return new Picture(samples, width, height, 3);
    }

    /** The part whose upper left pixel is at {@code (x, y)}; what lies outside is black. */
    public Picture crop(int x, int y, int newWidth, int newHeight) {
        byte[] cut = new byte[newWidth * newHeight * channels];
        int from = Math.max(0, -x);
        int to = Math.min(newWidth, width - x);
        for (int row = Math.max(0, -y); row < Math.min(newHeight, height - y) && from < to; row++) {
            System.arraycopy(
                    samples,
                    ((y + row) * width + x + from) * channels,
                    cut,
                    (row * newWidth + from) * channels,
                    (to - from) * channels);
        }
        return new Picture(cut, newWidth, newHeight, channels);
    }

    /** The mirror image, left and right exchanged. */
    public Picture flipped() {
        byte[] mirrored = new byte[samples.length];
        for (int i = 0; i < width * height; i++) {
            int column = i % width;
            System.arraycopy(samples, (i - column + width - 1 - column) * channels, mirrored, i * channels, channels);
        }
        return new Picture(mirrored, width, height, channels);
    }

    /** The same in red, green and blue. */
    public Picture rgb() {
        if (channels == 3) {
            return this;
        }
        byte[] coloured = new byte[3 * samples.length];
        for (int i = 0; i < coloured.length; i++) {
            coloured[i] = samples[i / 3];
        }
        return new Picture(coloured, width, height, 3);
    }
}
