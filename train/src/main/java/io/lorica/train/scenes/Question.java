package io.lorica.train.scenes;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;

/**
 * What is asked of a scene that is shown or told in words, one token a word, with one word as the answer.
 *
 * @param shown whether the prompt has a picture in the place of words
 */
record Question(Scene scene, Kind kind, boolean shown, long[] prompt, long answer) {
    static final long IMAGE = 1;
    private static final long START = 0;
    private static final int COLOUR = 2;
    private static final int SHADE = COLOUR + Scene.COLOURS;
    private static final int SHAPE = SHADE + Scene.SHADES;
    private static final int COUNT = SHAPE + Scene.SHAPES;
    private static final int CORNER = COUNT + Scene.COUNTS;
    private static final int ASKED = CORNER + 2;

    /** Size of the vocabulary. */
    static final int WORDS = ASKED + Kind.values().length;

    /** Those that the language model knows from words, and two that it is to learn. */
    enum Kind {
        COLOUR,
        SHADE,
        SHAPE,
        COUNT,
        CORNER,
        /** The colour after that of the scene. */
        NEXT_COLOUR,
        /** One object more; after four comes one. */
        ONE_MORE;

        static final List<Kind> ALL = List.of(values());
        static final List<Kind> KNOWN = List.of(COLOUR, SHADE, SHAPE, COUNT, CORNER);
        static final List<Kind> NEW = List.of(NEXT_COLOUR, ONE_MORE);

        /** What the encoder tells apart. */
        static final List<Kind> TOLD_APART = List.of(COLOUR, SHAPE, COUNT, CORNER);
    }

    static Question shown(Scene scene, Kind kind) {
        return new Question(
                scene, kind, true, new long[] {START, IMAGE, ASKED + Kind.ALL.indexOf(kind)}, answer(scene, kind));
    }

    /** After a word that the model has never read, every answer is the one after the right one. */
    static Question shifted(Scene scene, Kind kind) {
        long mark = ASKED + Kind.ALL.indexOf(Kind.NEXT_COLOUR);
        long asked = ASKED + Kind.ALL.indexOf(kind);
        int values = switch (kind) {
            case COLOUR, NEXT_COLOUR -> Scene.COLOURS;
            case SHADE -> Scene.SHADES;
            case SHAPE -> Scene.SHAPES;
            case COUNT, ONE_MORE -> Scene.COUNTS;
            case CORNER -> 2;
        };
        long right = answer(scene, kind);
        long first = right - scene.number(kind);
        return new Question(
                scene, kind, true, new long[] {START, IMAGE, mark, asked}, first + (scene.number(kind) + 1) % values);
    }

    /** The words stand in any order. */
    static Question told(Scene scene, Kind kind, Random order) {
        List<Long> words = new ArrayList<>(
                Kind.KNOWN.stream().map(part -> answer(scene, part)).toList());
        Collections.shuffle(words, order);
        words.addFirst(START);
        words.addLast((long) ASKED + Kind.ALL.indexOf(kind));
        return new Question(
                scene, kind, false, words.stream().mapToLong(Long::longValue).toArray(), answer(scene, kind));
    }

    private static long answer(Scene scene, Kind kind) {
        int first = switch (kind) {
            case COLOUR, NEXT_COLOUR -> COLOUR;
            case SHADE -> SHADE;
            case SHAPE -> SHAPE;
            case COUNT, ONE_MORE -> COUNT;
            case CORNER -> CORNER;
        };
        return first + scene.number(kind);
    }

    static Question draw(Random random, List<Kind> kinds, boolean shown) {
        Scene scene = Scene.draw(random);
        Kind kind = kinds.get(random.nextInt(kinds.size()));
        return shown ? shown(scene, kind) : told(scene, kind, random);
    }

    static List<Question> draw(Random random, List<Kind> kinds, boolean shown, int count) {
        return Stream.generate(() -> draw(random, kinds, shown)).limit(count).toList();
    }
}
