package io.lorica.train.scenes;

import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;

/**
 * One to four equal objects, each in a quarter of a picture. All but the corner are numbers from 0.
 *
 * @param count objects less one
 * @param corner 1 where the first quarter holds one
 * @param layout of the quarters and of the noise
 */
record Scene(int colour, int shade, int shape, int count, int corner, long layout) {
    static final int SIDE = 24;
    static final int COLOURS = 4;
    static final int SHADES = 3;
    static final int SHAPES = 3;
    static final int COUNTS = 4;

    private static final int QUARTER = SIDE / 2;
    private static final int MARGIN = 3;
    private static final float NOISE = 0.05f;
    private static final float[][] COLOUR = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {1, 1, 0}};

    static Scene draw(Random random) {
        long layout = random.nextLong();
        int count = random.nextInt(COUNTS);
        return new Scene(
                random.nextInt(COLOURS),
                random.nextInt(SHADES),
                random.nextInt(SHAPES),
                count,
                holds(0, count, layout) ? 1 : 0,
                layout);
    }

    /** The attribute that a question of that kind asks for. */
    int number(Question.Kind kind) {
        return switch (kind) {
            case COLOUR -> colour;
            case SHADE -> shade;
            case SHAPE -> shape;
            case COUNT -> count;
            case CORNER -> corner;
            case NEXT_COLOUR -> (colour + 1) % COLOURS;
            case ONE_MORE -> (count + 1) % COUNTS;
        };
    }

    /** The same objects in another shade, for an encoder that is to overlook it. */
    Scene shaded(int other) {
        return new Scene(colour, other, shape, count, corner, layout);
    }

    /** Whether a quarter holds an object: the quarters are taken in an order drawn from the layout. */
    private static boolean holds(int quarter, int count, long layout) {
        List<Integer> order = Arrays.asList(0, 1, 2, 3);
        Collections.shuffle(order, new Random(layout));
        return order.indexOf(quarter) <= count;
    }

    /** {@code [3, SIDE, SIDE]}, about -1 to 1. */
    float[] pixels() {
        Random noise = new Random(layout + 1);
        float light = 0.4f + 0.3f * shade;
        float[] pixels = new float[3 * SIDE * SIDE];
        boolean[] full = new boolean[4];
        for (int quarter = 0; quarter < full.length; quarter++) {
            full[quarter] = holds(quarter, count, layout);
        }
        for (int y = 0; y < SIDE; y++) {
            for (int x = 0; x < SIDE; x++) {
                int quarter = y / QUARTER * 2 + x / QUARTER;
                boolean lit = full[quarter] && inside(x % QUARTER, y % QUARTER);
                for (int channel = 0; channel < 3; channel++) {
                    float value = lit ? 2 * light * COLOUR[colour][channel] - 1 : -1;
                    pixels[(channel * SIDE + y) * SIDE + x] = value + NOISE * (float) noise.nextGaussian();
                }
            }
        }
        return pixels;
    }

    /** A filled square, its frame, or a cross. */
    private boolean inside(int x, int y) {
        int left = x - MARGIN;
        int top = y - MARGIN;
        int size = QUARTER - 2 * MARGIN;
        if (left < 0 || top < 0 || left >= size || top >= size) {
            return false;
        }
        boolean rim = left == 0 || top == 0 || left == size - 1 || top == size - 1;
        boolean middle = left / 2 == size / 4 || top / 2 == size / 4;
        return shape == 0 || (shape == 1 ? rim : middle);
    }
}
