package io.lorica.model.image;

import io.lorica.tensor.AtomicFile;
import io.lorica.tensor.LoricaException;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.stream.Stream;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.ImageWriter;
import javax.imageio.stream.ImageInputStream;
import javax.imageio.stream.ImageOutputStream;

/**
 * Grey pictures one after another, 25 a second.
 *
 * @param pixels picture by picture, row by row, from 0 (black) to 1
 * @param side of each, in pixels
 */
public record Film(float[] pixels, int side) {

    public Film {
        if (side < 1 || pixels.length == 0 || pixels.length % (side * side) != 0) {
            throw new LoricaException.Internal(
                    pixels.length + " pixels do not make pictures of " + side + " x " + side);
        }
    }

    public int pictures() {
        return pixels.length / (side * side);
    }

    /**
     * A TIFF file of several pages, or a folder of pictures (PNG, JPEG, BMP, GIF) in the order of their names. Colours become
     * grey ({@code 0.299 R + 0.587 G + 0.114 B}), and pictures of another size are resized.
     */
    public static Film read(Path path, int side) {
        List<Picture> pictures = Files.isDirectory(path)
                ? folder(path).stream().map(Picture::read).toList()
                : pages(path);
        float[] pixels = new float[pictures.size() * side * side];
        for (int p = 0; p < pictures.size(); p++) {
            Picture fitted = Resampling.BILINEAR.resize(pictures.get(p), side, side);
            for (int i = 0; i < side * side; i++) {
                pixels[p * side * side + i] = (0.299f * sample(fitted, 3 * i)
                                + 0.587f * sample(fitted, 3 * i + 1)
                                + 0.114f * sample(fitted, 3 * i + 2))
                        / 255;
            }
        }
        return new Film(pixels, side);
    }

    private static int sample(Picture picture, int at) {
        return picture.samples()[at] & 0xff;
    }

    /** How many pictures {@link #read} would find, without decoding them. */
    public static int count(Path path) {
        return Files.isDirectory(path) ? folder(path).size() : withReader(path, reader -> reader.getNumImages(true));
    }

    private static List<Path> folder(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            List<Path> pictures = files.filter(Files::isRegularFile).sorted().toList();
            if (pictures.isEmpty()) {
                throw new LoricaException.BadInput(
                        "the folder " + folder + " holds no pictures; put the film's into it");
            }
            return pictures;
        } catch (IOException e) {
            throw new LoricaException.BadInput("cannot read the folder " + folder + ": " + e + "; check the path", e);
        }
    }

    private static List<Picture> pages(Path file) {
        return withReader(file, reader -> {
            List<Picture> pages = new ArrayList<>();
            for (int page = 0; page < reader.getNumImages(true); page++) {
                pages.add(Picture.of(reader.read(page)));
            }
            return pages;
        });
    }

    @FunctionalInterface
    private interface Work<T> {
        T of(ImageReader reader) throws IOException;
    }

    private static <T> T withReader(Path file, Work<T> work) {
        if (!Files.isRegularFile(file)) {
            throw new LoricaException.NotFound("there is no film " + file);
        }
        try (ImageInputStream in = ImageIO.createImageInputStream(file.toFile())) {
            Iterator<ImageReader> readers = ImageIO.getImageReadersByFormatName("tiff");
            ImageReader reader = readers.next();
            try {
                if (!reader.getOriginatingProvider().canDecodeInput(in)) {
                    throw new LoricaException.BadInput(
                            file + " is no film that can be read; give a TIFF file of several"
                                    + " pages, or a folder of pictures");
                }
                reader.setInput(in);
                return work.of(reader);
            } finally {
                reader.dispose();
            }
        } catch (IOException | IllegalArgumentException | IndexOutOfBoundsException e) {
            throw new LoricaException.BadInput(
                    "the film " + file + " is broken: " + e.getMessage() + "; write it again", e);
        }
    }

    /** A TIFF file of as many grey pages, each sample rounded to 8 bits. */
    public void write(Path file) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        ImageWriter writer = ImageIO.getImageWritersByFormatName("tiff").next();
        try (ImageOutputStream out = ImageIO.createImageOutputStream(bytes)) {
            writer.setOutput(out);
            writer.prepareWriteSequence(null);
            for (int p = 0; p < pictures(); p++) {
                writer.writeToSequence(new IIOImage(page(p), null, null), null);
            }
            writer.endWriteSequence();
        } catch (IOException e) {
            throw new LoricaException.Internal("cannot write the film " + file + ": " + e, e);
        } finally {
            writer.dispose();
        }
        AtomicFile.write(file, channel -> channel.write(ByteBuffer.wrap(bytes.toByteArray())));
    }

    private BufferedImage page(int picture) {
        BufferedImage page = new BufferedImage(side, side, BufferedImage.TYPE_BYTE_GRAY);
        for (int i = 0; i < side * side; i++) {
            int grey = Math.round(255 * pixels[picture * side * side + i]);
            page.getRaster().setSample(i % side, i / side, 0, Math.clamp(grey, 0, 255));
        }
        return page;
    }
}
