package io.lorica.train.fewshot;

import io.lorica.model.image.Picture;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Names;
import io.lorica.tensor.Seed;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Random;

/**
 * Pictures with classes, in a part to train on and a part to test on.
 *
 * @param name for reports
 * @param classes what each class is called, as a caption says it
 */
public record ImageSet(String name, List<String> classes, List<Labelled> train, List<Labelled> test) {

    /** @param label index into the classes */
    public record Labelled(Picture picture, int label) {}

    /** Which classes of a set are used: few-shot learning is measured on others than a base was trained on. */
    public enum Part {
        ALL,
        /** The first half of the classes, rounded up. */
        BASE,
        /** The second half. */
        NEW;

        public static Part parse(String word) {
            List<String> known = List.of("all", "base", "new");
            if (!known.contains(word)) {
                throw new LoricaException.BadInput(
                        "the classes '" + word + "' are none of " + known + Names.didYouMean(word, known));
            }
            return valueOf(word.toUpperCase(Locale.ROOT));
        }
    }

    /** The same with a part of the classes. */
    public ImageSet only(Part part) {
        int half = (classes.size() + 1) / 2;
        int from = part == Part.NEW ? half : 0;
        int to = part == Part.BASE ? half : classes.size();
        return new ImageSet(name, classes.subList(from, to), within(train, from, to), within(test, from, to));
    }

    private static List<Labelled> within(List<Labelled> pictures, int from, int to) {
        return pictures.stream()
                .filter(picture -> picture.label() >= from && picture.label() < to)
                .map(picture -> new Labelled(picture.picture(), picture.label() - from))
                .toList();
    }

    /** At most so many test pictures of each class, the first ones. */
    public ImageSet testLimited(int perClass) {
        return new ImageSet(name, classes, train, firstOfEach(test, perClass));
    }

    /**
     * So many training pictures of each class, drawn by a seed; fewer shots of the same seed are among more.
     *
     * @throws LoricaException.BadInput where a class has not so many
     */
    public List<Labelled> shots(int perClass, Seed seed) {
        List<Labelled> order = new ArrayList<>(train);
        Collections.shuffle(order, new Random(seed.of("shots").value()));
        List<Labelled> chosen = firstOfEach(order, perClass);
        if (chosen.size() < perClass * classes.size()) {
            throw new LoricaException.BadInput("the set " + name + " has fewer than " + perClass
                    + " training pictures of some class; ask for fewer shots");
        }
        return chosen;
    }

    private List<Labelled> firstOfEach(List<Labelled> pictures, int perClass) {
        int[] counts = new int[classes.size()];
        return pictures.stream()
                .filter(picture -> counts[picture.label()]++ < perClass)
                .toList();
    }
}
