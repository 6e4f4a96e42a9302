package io.lorica.train.data;

import io.lorica.model.ClassifierModel;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Names;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.TreeSet;
import java.util.stream.IntStream;

/**
 * The classes of a classification set: names to ids and back. A regression has none.
 *
 * @param names by id
 */
public record Labels(List<String> names) {

    public Labels {
        names = List.copyOf(names);
    }

    /** A number is predicted, not a class. */
    public static Labels regression() {
        return new Labels(List.of());
    }

    /**
     * From the values of a label column: whole numbers {@code 0 … n-1} are ids as they stand, other whole numbers are
     * classes in their order; numbers of which one has a point or an exponent make a regression (write {@code 3.0} for
     * 3 where whole numbers are values); anything else is a class name, in alphabetical order.
     */
    public static Labels of(Collection<String> values) {
        TreeSet<String> distinct = new TreeSet<>(values);
        if (distinct.isEmpty()) {
            throw new LoricaException.BadInput("there are no labels; the data file has no rows");
        }
        if (distinct.stream().allMatch(Labels::isNumber)) {
            return ofNumbers(distinct);
        }
        return new Labels(List.copyOf(distinct));
    }

    private static Labels ofNumbers(TreeSet<String> distinct) {
        if (!distinct.stream().allMatch(value -> value.matches("[-+]?\\d{1,9}"))) {
            return regression();
        }
        List<String> ordered = distinct.stream()
                .sorted(Comparator.comparingInt(Integer::parseInt))
                .toList();
        int largest = Integer.parseInt(ordered.getLast());
        boolean ids = distinct.stream().allMatch(value -> value.matches("\\d+")) && largest < 2 * distinct.size() + 8;
        return new Labels(
                ids
                        ? IntStream.rangeClosed(0, largest)
                                .mapToObj(Integer::toString)
                                .toList()
                        : ordered);
    }

    /** The labels of a model: those its configuration names, which are numbers where it has only {@code LABEL_0} …. */
    public static Labels of(ClassifierModel model) {
        if (model.labels() == 1) {
            return regression();
        }
        List<String> names = model.config().labelNames();
        boolean unnamed = names.isEmpty() || names.stream().allMatch(name -> name.matches("LABEL_\\d+"));
        return new Labels(
                unnamed
                        ? IntStream.range(0, model.labels())
                                .mapToObj(Integer::toString)
                                .toList()
                        : names);
    }

    /** The names of a head's scores: the classes, or one for a regression's value. */
    public List<String> scores() {
        return isRegression() ? List.of("value") : names;
    }

    public boolean isRegression() {
        return names.isEmpty();
    }

    /** The id of a class, or the number itself in a regression. */
    double value(Row row, String column) {
        String text = row.text(column);
        if (isRegression()) {
            if (!isNumber(text)) {
                throw row.bad("label '" + text + "' is not a number, but the others are");
            }
            return Double.parseDouble(text);
        }
        int id = names.indexOf(text);
        if (id < 0) {
            throw row.bad("label '" + text + "' is none of the " + names.size() + " known ones"
                    + Names.didYouMean(text, names) + " ("
                    + String.join(", ", names.subList(0, Math.min(8, names.size())))
                    + (names.size() > 8 ? ", …" : "") + ")");
        }
        return id;
    }

    private static boolean isNumber(String value) {
        return value.matches("[-+]?(\\d+\\.?\\d*|\\.\\d+)([eE][-+]?\\d+)?");
    }
}
