package io.lorica.model.image;

import io.lorica.model.ModelConfig;
import io.lorica.tensor.LoricaException;
import java.util.Arrays;

/**
 * Resizing by a kernel that widens as the image shrinks, first along rows and then along columns, with results rounded
 * to whole samples after each: Pillow's {@code Image.resize} to the bit, which transformers' processors are built on.
 * Weights are whole multiples of {@code 2^-22} as there. (Pillow 13 takes columns first where it finds that cheaper,
 * which changes some samples by one; results here are those of the versions before it.)
 */
public enum Resampling {
    BILINEAR(2, 1) {
        @Override
        double kernel(double x) {
            return Math.max(0, 1 - Math.abs(x));
        }
    },
    /** Keys's cubic convolution with {@code a = -1/2}. */
    BICUBIC(3, 2) {
        @Override
        double kernel(double x) {
            double t = Math.abs(x);
            if (t < 1) {
                return (1.5 * t - 2.5) * t * t + 1;
            }
            return t < 2 ? ((-0.5 * t + 2.5) * t - 4) * t + 2 : 0;
        }
    };

    private static final int FRACTION = 22;

    private final int code;
    private final double support;

    Resampling(int code, double support) {
        this.code = code;
        this.support = support;
    }

    abstract double kernel(double x);

    /** The value of {@code resample} in a {@code preprocessor_config.json}: Pillow's number. */
    static Resampling of(ModelConfig config) {
        int code = config.integer("resample", BICUBIC.code);
        return Arrays.stream(values())
                .filter(value -> value.code == code)
                .findFirst()
                .orElseThrow(() -> new LoricaException.Unsupported(
                        config.where() + ": resample " + code + " is not supported (known: 2 bilinear, 3 bicubic)"));
    }

    public Picture resize(Picture picture, int width, int height) {
        if (width < 1 || height < 1) {
            throw new LoricaException.BadInput("an image cannot be resized to " + width + " x " + height + " pixels");
        }
        int channels = picture.channels();
        byte[] rows = width == picture.width()
                ? picture.samples()
                : along(picture.samples(), picture.height(), picture.width(), width, channels);
        // Columns of a picture are the middle axis of [1, height, width * channels].
        byte[] all = height == picture.height() ? rows : along(rows, 1, picture.height(), height, width * channels);
        return new Picture(all, width, height, channels);
    }

    /** {@code [outer, from, inner]} to {@code [outer, to, inner]}. */
    private byte[] along(byte[] samples, int outer, int from, int to, int inner) {
        byte[] result = new byte[outer * to * inner];
        double scale = (double) from / to;
        for (int place = 0; place < to; place++) {
            Window window = window(scale, place, from);
            for (int row = 0; row < outer; row++) {
                for (int i = 0; i < inner; i++) {
                    int sum = 1 << (FRACTION - 1);
                    int at = (row * from + window.first()) * inner + i;
                    for (int weight : window.weights()) {
                        sum += weight * (samples[at] & 0xff);
                        at += inner;
                    }
                    result[(row * to + place) * inner + i] = (byte) Math.clamp(sum >> FRACTION, 0, 255);
                }
            }
        }
        return result;
    }

    /** What one place of the result is made of. */
    private record Window(int first, int[] weights) {}

    private Window window(double scale, int place, int size) {
        double stretch = Math.max(1, scale);
        double centre = (place + 0.5) * scale;
        int first = (int) Math.max(0, centre - support * stretch + 0.5);
        int end = (int) Math.min(size, centre + support * stretch + 0.5);
        double[] exact = new double[end - first];
        double sum = 0;
        for (int i = 0; i < exact.length; i++) {
            exact[i] = kernel((first + i - centre + 0.5) / stretch);
            sum += exact[i];
        }
        int[] weights = new int[exact.length];
        for (int i = 0; i < weights.length; i++) {
            double share = exact[i] / sum * (1 << FRACTION);
            weights[i] = (int) (share < 0 ? share - 0.5 : share + 0.5);
        }
        return new Window(first, weights);
    }
}
