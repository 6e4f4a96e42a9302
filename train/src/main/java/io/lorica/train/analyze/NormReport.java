package io.lorica.train.analyze;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.train.report.LinePlot;
import io.lorica.train.report.Table;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** The norm check of a model: every head with its verdict, as table, JSON and picture. */
public record NormReport(List<HeadCheck> heads) {

    /**
     * @param adapted norms by sequence and head, from {@link NormCheck}
     * @param base the same without the adapter, or null
     */
    public static NormReport of(List<List<HeadNorms>> adapted, @Nullable List<List<HeadNorms>> base, double eps) {
        List<HeadCheck> heads = new ArrayList<>();
        for (int i = 0; i < adapted.getFirst().size(); i++) {
            int head = i;
            int worst = IntStream.range(0, adapted.size())
                    .boxed()
                    .max(Comparator.comparingDouble(
                            sequence -> adapted.get(sequence).get(head).ratio()))
                    .orElseThrow();
            long below = adapted.stream()
                    .filter(sequence -> sequence.get(head).verdict() == HeadNorms.Verdict.BELOW)
                    .count();
            heads.add(new HeadCheck(
                    adapted.get(worst).get(head),
                    base == null ? null : base.get(worst).get(head),
                    (int) below,
                    adapted.size(),
                    eps));
        }
        return new NormReport(heads);
    }

    public long below() {
        return heads.stream()
                .filter(head -> head.verdict() == HeadNorms.Verdict.BELOW)
                .count();
    }

    private long approximable() {
        return heads.stream()
                .filter(head -> head.advice() == HeadCheck.Advice.APPROX)
                .count();
    }

    private boolean adapted() {
        return heads.getFirst().base() != null;
    }

    /** One row for each head, on its sequence of the largest ratio. */
    public Table table() {
        List<String> columns = new ArrayList<>(List.of("layer", "head", "L", "gQ", "gK", "gV"));
        if (adapted()) {
            columns.addAll(List.of("base gQ", "base gK", "base gV"));
        }
        columns.addAll(List.of(
                "Gamma", "sqrt(ln L)", "ratio", "below", "verdict", "score bound", "degree", "log10 rank", "advice"));
        Table table = new Table(columns.toArray(String[]::new));
        heads.forEach(head -> table.row(row(head)));
        return table;
    }

    private static Object[] row(HeadCheck head) {
        HeadNorms worst = head.worst();
        List<Object> cells = new ArrayList<>(List.of(
                worst.layer(),
                worst.head(),
                worst.length(),
                number(worst.gQ()),
                number(worst.gK()),
                number(worst.gV())));
        HeadNorms base = head.base();
        if (base != null) {
            cells.addAll(List.of(number(base.gQ()), number(base.gK()), number(base.gV())));
        }
        cells.addAll(List.of(
                number(worst.gamma()),
                number(worst.threshold()),
                number(worst.ratio()),
                head.below() + " of " + head.sequences(),
                head.verdict(),
                number(worst.scoreBound()),
                head.degree(),
                logRank(head),
                head.advice()));
        return cells.toArray();
    }

    private static String logRank(HeadCheck head) {
        return Double.isInfinite(head.rank()) ? "-" : String.format(Locale.ROOT, "%.1f", Math.log10(head.rank()));
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, "%.2f", value);
    }

    /** The whole in words. */
    public String verdict() {
        String allowed = below() == heads.size()
                ? "the norms allow the fast regime in every head"
                : below() + " of " + heads.size() + " heads are BELOW the threshold, " + (heads.size() - below())
                        + " ABOVE: for norms like these no general algorithm is nearly linear (one head may still be easy)";
        String cost = approximable() == 0
                ? "at this length and head width the exact gradient costs less in every head"
                : "by operations the approximate gradient costs less in " + approximable() + " heads";
        return allowed + "; " + cost + ". Asymptotic statements read at one length.";
    }

    public ObjectNode json() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("heads_below", below()).put("heads", heads.size()).put("verdict", verdict());
        ArrayNode rows = json.putArray("rows");
        for (HeadCheck head : heads) {
            HeadNorms worst = head.worst();
            ObjectNode row = rows.addObject()
                    .put("layer", worst.layer())
                    .put("head", worst.head())
                    .put("L", worst.length())
                    .put("d", worst.width())
                    .put("beta", worst.beta());
            norms(row, "", worst);
            HeadNorms base = head.base();
            if (base != null) {
                norms(row, "base_", base);
            }
            row.put("T", worst.threshold())
                    .put("ratio", worst.ratio())
                    .put("below", head.below())
                    .put("sequences", head.sequences())
                    .put("verdict", head.verdict().name())
                    .put("b", worst.scoreBound())
                    .put("eps", head.eps())
                    .put("degree", head.degree())
                    .put("exact_flops", head.exactOperations())
                    .put("recommend", head.advice().name());
            if (Double.isFinite(head.approximateOperations())) {
                row.put("rank", head.rank()).put("approximate_flops", head.approximateOperations());
            }
        }
        return json;
    }

    private static void norms(ObjectNode row, String prefix, HeadNorms norms) {
        row.put(prefix + "gQ", norms.gQ())
                .put(prefix + "gK", norms.gK())
                .put(prefix + "gV", norms.gV())
                .put(prefix + "Gamma", norms.gamma());
    }

    /** The ratio of every head, layer by layer, with the line that parts the regimes. */
    public void plot(Path png, String title) {
        List<String> layers =
                heads.stream().map(head -> head.worst().layer()).distinct().toList();
        List<LinePlot.Line> lines = new ArrayList<>();
        if (adapted()) {
            lines.add(LinePlot.Line.dots("base", points(layers, true)));
        }
        lines.add(LinePlot.Line.dots(adapted() ? "with the adapter" : "heads", points(layers, false)));
        lines.add(LinePlot.Line.of(
                "threshold", List.of(new LinePlot.Point(-0.5, 1), new LinePlot.Point(layers.size() - 0.5, 1))));
        new LinePlot(title, "layer", "Gamma / sqrt(ln L)", false, true).write(png, lines);
    }

    private List<LinePlot.Point> points(List<String> layers, boolean base) {
        List<LinePlot.Point> points = new ArrayList<>();
        for (HeadCheck head : heads) {
            HeadNorms norms = base ? head.base() : head.worst();
            if (norms != null) {
                points.add(new LinePlot.Point(layers.indexOf(norms.layer()), norms.ratio()));
            }
        }
        return points;
    }
}
