package io.lorica.train.report;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** A text table with aligned columns: numbers to the right, all else to the left. */
public final class Table {
    private final List<String> head;
    private final List<List<String>> rows = new ArrayList<>();

    public Table(String... head) {
        this.head = List.of(head);
    }

    /** Adds a row; the values are printed as they are, so numbers should come formatted. */
    public Table row(Object... values) {
        if (values.length != head.size()) {
            throw new IllegalArgumentException(values.length + " values for the columns " + head);
        }
        rows.add(Arrays.stream(values).map(String::valueOf).toList());
        return this;
    }

    /** Columns parted by two spaces, with a rule under the head; ends without a line break. */
    public String text() {
        int[] widths = widths();
        List<String> lines = new ArrayList<>();
        lines.add(line(head, widths, "  "));
        lines.add(String.join("  ", Arrays.stream(widths).mapToObj("-"::repeat).toList()));
        rows.forEach(row -> lines.add(line(row, widths, "  ")));
        return String.join("\n", lines);
    }

    /** The same as a Markdown table. */
    public String markdown() {
        int[] widths = widths();
        List<String> lines = new ArrayList<>();
        lines.add("| " + line(head, widths, " | ") + " |");
        List<String> rules = new ArrayList<>();
        for (int i = 0; i < widths.length; i++) {
            rules.add("-".repeat(Math.max(3, widths[i]) - 1) + (numeric(i) ? ":" : "-"));
        }
        lines.add("| " + String.join(" | ", rules) + " |");
        rows.forEach(row -> lines.add("| "
                + line(
                        row.stream()
                                .map(value -> value.replace("|", "\\|").replace("\n", " "))
                                .toList(),
                        widths,
                        " | ")
                + " |"));
        return String.join("\n", lines);
    }

    @Override
    public String toString() {
        return text();
    }

    private int[] widths() {
        int[] widths = new int[head.size()];
        for (int i = 0; i < widths.length; i++) {
            int column = i;
            widths[i] = Math.max(
                    head.get(i).length(),
                    rows.stream()
                            .mapToInt(row -> row.get(column).length())
                            .max()
                            .orElse(0));
        }
        return widths;
    }

    private String line(List<String> values, int[] widths, String gap) {
        List<String> cells = new ArrayList<>();
        for (int i = 0; i < widths.length; i++) {
            String space = " ".repeat(Math.max(0, widths[i] - values.get(i).length()));
            cells.add(numeric(i) ? space + values.get(i) : values.get(i) + space);
        }
        return String.join(gap, cells).stripTrailing();
    }

    private boolean numeric(int column) {
        return !rows.isEmpty()
                && rows.stream()
                        .map(row -> row.get(column))
                        .allMatch(value -> value.matches("[-+]?[\\d,.]+( ?(%|[a-zA-Z/]{1,9}))?|-|"));
    }
}
