package io.lorica.train.compare;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.AtomicFile;
import io.lorica.tensor.Memory;
import io.lorica.train.eval.Interval;
import io.lorica.train.report.ComparisonPlot;
import io.lorica.train.report.MetricsLog;
import io.lorica.train.report.Table;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.SequencedMap;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;

/**
 * The cells of a comparison by method: {@code comparison.md}, {@code comparison.json}, {@code comparison.png}. Numbers are
 * means over seeds, with Student's 95 % interval where there are at least two.
 *
 * @param title what was compared on what
 * @param command that makes it again
 * @param metric name of the task metric; null where none was measured
 */
public record Summary(
        String title, String command, @Nullable String metric, List<Cell> cells) {
    private static final ObjectMapper JSON = new ObjectMapper();

    private SequencedMap<String, List<Cell>> byMethod() {
        SequencedMap<String, List<Cell>> methods = new LinkedHashMap<>();
        cells.forEach(cell ->
                methods.computeIfAbsent(cell.method(), _ -> new ArrayList<>()).add(cell));
        return methods;
    }

    private boolean oneSeed() {
        return byMethod().values().stream().anyMatch(same -> same.size() == 1);
    }

    /** Held-out losses and, where measured, the metric, with intervals. */
    public Table table() {
        Table table = metric == null ? new Table(columns()) : new Table(with(columns(), metric));
        byMethod().forEach((method, same) -> {
            Object[] row = {
                method,
                same.getFirst().parameters(),
                Memory.format(same.getFirst().adapterBytes()),
                peak(same),
                number("%.1f", mean(same, Cell::startSeconds)),
                number("%.0f", mean(same, Cell::tokensPerSecond)),
                number("%.4f", mean(same, Cell::trainLoss)),
                shown(heldOut(same))
            };
            table.row(metric == null ? row : with(row, shown(task(same))));
        });
        return table;
    }

    private static String[] columns() {
        return new String[] {
            "method", "trained", "adapter file", "peak memory", "start s", "tokens/s", "train loss", "held-out loss"
        };
    }

    private static <T> T[] with(T[] array, T last) {
        T[] longer = java.util.Arrays.copyOf(array, array.length + 1);
        longer[array.length] = last;
        return longer;
    }

    public String markdown() {
        return "# " + title + "\n\n```\n" + command + "\n```\n\n" + table().markdown() + "\n\n"
                + (oneSeed()
                        ? "One seed: no interval.\n"
                        : "Means over seeds; ± is half of the 95 % interval (Student's t).\n")
                + "Peak memory is that of the process while the method was trained; the JVM and libraries are in it.\n\n"
                + "![losses](comparison.png)\n";
    }

    public ObjectNode json() {
        ObjectNode json = JSON.createObjectNode().put("title", title).put("command", command);
        byMethod().forEach((method, same) -> {
            ObjectNode node = json.withArray("methods").addObject().put("method", method);
            put(node.putObject("held_out_loss"), heldOut(same));
            if (metric != null) {
                put(node.putObject("metric").put("name", metric), task(same));
            }
            node.set("runs", JSON.valueToTree(same));
        });
        return json;
    }

    private static void put(ObjectNode node, Interval interval) {
        node.put("mean", interval.value());
        if (Double.isFinite(interval.low())) {
            node.put("low", interval.low()).put("high", interval.high());
        }
    }

    /** @param directory of a cell, for its curve */
    public void write(Path out, java.util.function.Function<Cell, Path> directory) {
        AtomicFile.writeString(out.resolve("comparison.json"), json().toPrettyString() + "\n");
        AtomicFile.writeString(out.resolve("comparison.md"), markdown());
        List<ComparisonPlot.Method> methods = new ArrayList<>();
        byMethod()
                .forEach((method, same) -> methods.add(new ComparisonPlot.Method(
                        method,
                        heldOut(same).value(),
                        halfWidth(heldOut(same)),
                        MetricsLog.read(directory.apply(same.getFirst()).resolve("metrics.jsonl")))));
        ComparisonPlot.write(out.resolve("comparison.png"), title, methods);
    }

    private static Interval heldOut(List<Cell> same) {
        return Interval.overSeeds(same.stream().map(Cell::heldOutLoss).toList());
    }

    private static Interval task(List<Cell> same) {
        return Interval.overSeeds(
                same.stream().map(Cell::metric).filter(Objects::nonNull).toList());
    }

    private static double mean(List<Cell> same, ToDoubleFunction<Cell> number) {
        return same.stream().mapToDouble(number).average().orElse(Double.NaN);
    }

    private static String peak(List<Cell> same) {
        long most = same.stream()
                .map(Cell::peakBytes)
                .filter(Objects::nonNull)
                .mapToLong(Long::longValue)
                .max()
                .orElse(0);
        return most == 0 ? "-" : Memory.format(most);
    }

    private static String shown(Interval interval) {
        return number("%.4f", interval.value())
                + (Double.isFinite(interval.low()) ? " ± " + number("%.4f", halfWidth(interval)) : "");
    }

    /** NaN where one seed leaves no interval. */
    private static double halfWidth(Interval interval) {
        return (interval.high() - interval.low()) / 2;
    }

    private static String number(String format, double value) {
        return String.format(Locale.ROOT, format, value);
    }
}
