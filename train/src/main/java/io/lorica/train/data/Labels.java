package io.lorica.train.data;

import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Names;
import java.util.Collection;
import java.util.List;
import java.util.TreeSet;

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
     * From the values of a label column: whole numbers {@code 0 … n-1} are ids as they stand; numbers with a fraction
     * make a regression; other values are class names in alphabetical order.
     */
    public static Labels of(Collection<String> values) {
        TreeSet<String> distinct = new TreeSet<>(values);
        if (distinct.isEmpty()) {
            throw new LoricaException.BadInput("there are no labels; the data file has no rows");
        }
        if (distinct.stream().allMatch(Labels::isNumber)) {
            boolean ids = distinct.stream().allMatch(value -> value.matches("\\d{1,6}"));
            if (!ids) {
                return regression();
            }
            int largest = distinct.stream().mapToInt(Integer::parseInt).max().orElse(0);
            if (largest < 2 * distinct.size() + 8) {
                return new Labels(java.util.stream.IntStream.rangeClosed(0, largest)
                        .mapToObj(Integer::toString)
                        .toList());
            }
        }
        return new Labels(List.copyOf(distinct));
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
