package io.lorica.train.analyze;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.train.analyze.GradientStudy.ErrorRow;
import io.lorica.train.analyze.GradientStudy.RankRow;
import io.lorica.train.analyze.GradientStudy.TimeRow;
import io.lorica.train.report.LinePlot;
import io.lorica.train.report.Table;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.SequencedMap;

/** What {@link GradientStudy} found, as tables, JSON and pictures. */
public record GradientReport(GradientConfig config, GradientStudy.Result result) {

    /** Relative errors: a row for each size of entries and degree. */
    public Table errors() {
        List<String> names = List.copyOf(result.errors().getFirst().relative().keySet());
        List<String> columns = new ArrayList<>(List.of("gamma", "Gamma / sqrt(ln L)", "degree", "rank"));
        columns.addAll(names);
        Table table = new Table(columns.toArray(String[]::new));
        for (ErrorRow row : result.errors()) {
            List<Object> cells = new ArrayList<>(
                    List.of(number(row.gamma()), number(row.ratio()), row.degree(), "%,.0f".formatted(row.rank())));
            row.relative().values().forEach(error -> cells.add(small(error)));
            table.row(cells.toArray());
        }
        return table;
    }

    /** Degrees and ranks that reach eps. */
    public Table ranks() {
        Table table = new Table(
                "gamma", "Gamma / sqrt(ln L)", "score bound", "degree promised", "degree needed", "rank needed");
        for (RankRow row : result.ranks()) {
            boolean reached = row.needed().isPresent();
            table.row(
                    number(row.gamma()),
                    number(row.ratio()),
                    number(row.bound()),
                    row.promised(),
                    reached ? row.needed().getAsInt() : "-",
                    reached ? "%,.0f".formatted(rank(row)) : "-");
        }
        return table;
    }

    private double rank(RankRow row) {
        return MonomialFeatures.count(config.width(), row.needed().orElseThrow());
    }

    /** Seconds against length; growth is how often the time of the row before. */
    public Table times() {
        Table table = new Table(
                "L",
                "degree",
                "rank",
                "exact, s",
                "growth",
                "approximate, s",
                "growth ",
                "exact / approximate",
                "error");
        TimeRow before = null;
        for (TimeRow row : result.times()) {
            table.row(
                    "%,d".formatted(row.length()),
                    row.degree(),
                    "%,.0f".formatted(row.rank()),
                    time(row.exact()),
                    times(before == null ? Double.NaN : row.exact() / before.exact()),
                    time(row.approximate()),
                    times(before == null ? Double.NaN : row.approximate() / before.approximate()),
                    times(row.exact() / row.approximate()),
                    small(row.error()));
            before = row;
        }
        return table;
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, "%.2f", value);
    }

    private static String small(double value) {
        return String.format(Locale.ROOT, "%.1e", value);
    }

    private static String time(double seconds) {
        return Double.isNaN(seconds) ? "-" : String.format(Locale.ROOT, "%.4f", seconds);
    }

    private static String times(double factor) {
        return Double.isNaN(factor) ? "-" : String.format(Locale.ROOT, "%.1f x", factor);
    }

    public String markdown() {
        return """
                ## Relative error of the gradients, L = %,d

                %s

                ## Rank that reaches a relative error of %s

                %s

                ## Time against length, gamma = 1

                %s
                """.formatted(
                config.errorLength(), errors().markdown(), config.eps(), ranks().markdown(), times().markdown());
    }

    public ObjectNode json() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("d", config.width())
                .put("beta", config.beta())
                .put("eps", config.eps())
                .put("L", config.errorLength())
                .put("seed", config.seed().value());
        ArrayNode errors = json.putArray("errors");
        for (ErrorRow row : result.errors()) {
            ObjectNode node = errors.addObject()
                    .put("gamma", row.gamma())
                    .put("ratio", row.ratio())
                    .put("degree", row.degree())
                    .put("rank", row.rank());
            ObjectNode relative = node.putObject("relative");
            row.relative().forEach(relative::put);
            ObjectNode largest = node.putObject("max_abs");
            row.largest().forEach(largest::put);
        }
        ArrayNode ranks = json.putArray("ranks");
        for (RankRow row : result.ranks()) {
            ObjectNode node = ranks.addObject()
                    .put("gamma", row.gamma())
                    .put("ratio", row.ratio())
                    .put("b", row.bound())
                    .put("degree_promised", row.promised());
            row.needed().ifPresent(degree -> node.put("degree_needed", degree).put("rank_needed", rank(row)));
        }
        ArrayNode times = json.putArray("times");
        for (TimeRow row : result.times()) {
            ObjectNode node = times.addObject()
                    .put("L", row.length())
                    .put("degree", row.degree())
                    .put("rank", row.rank())
                    .put("approximate_seconds", row.approximate())
                    .put("error", row.error());
            if (!Double.isNaN(row.exact())) {
                node.put("exact_seconds", row.exact());
            }
        }
        return json;
    }

    /** Writes {@code gradient-error.png}: the error of {@code dB} of the first adapter against the size of entries. */
    public void plotErrors(Path png) {
        SequencedMap<Integer, List<LinePlot.Point>> byDegree = new LinkedHashMap<>();
        String name = result.errors().getFirst().relative().keySet().stream()
                .filter(key -> key.startsWith("dB"))
                .findFirst()
                .orElseThrow();
        for (ErrorRow row : result.errors()) {
            byDegree.computeIfAbsent(row.degree(), _ -> new ArrayList<>())
                    .add(new LinePlot.Point(
                            row.ratio(),
                            Math.max(Objects.requireNonNull(row.relative().get(name)), 1e-16)));
        }
        List<LinePlot.Line> lines = new ArrayList<>();
        byDegree.forEach((degree, points) -> lines.add(LinePlot.Line.of("degree " + degree, points)));
        new LinePlot(
                        "error of " + name + " at L = " + config.errorLength(),
                        "Gamma / sqrt(ln L)",
                        "relative error",
                        false,
                        true)
                .write(png, lines);
    }

    /** Writes {@code gradient-time.png}: seconds against length, both axes logarithmic. */
    public void plotTimes(Path png) {
        List<LinePlot.Point> exact = result.times().stream()
                .filter(row -> !Double.isNaN(row.exact()))
                .map(row -> new LinePlot.Point(row.length(), row.exact()))
                .toList();
        List<LinePlot.Point> approximate = result.times().stream()
                .map(row -> new LinePlot.Point(row.length(), row.approximate()))
                .toList();
        List<LinePlot.Line> lines = new ArrayList<>(List.of(LinePlot.Line.of("approximate", approximate)));
        if (!exact.isEmpty()) {
            lines.add(LinePlot.Line.of("exact", exact));
        }
        new LinePlot("LoRA gradient of one head", "tokens", "seconds", true, true).write(png, lines);
    }
}
