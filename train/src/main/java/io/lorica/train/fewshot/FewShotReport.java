package io.lorica.train.fewshot;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.train.eval.Interval;
import io.lorica.train.report.AccuracyPlot;
import io.lorica.train.report.Table;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.SequencedMap;

/**
 * What a few-shot run found on one image set.
 *
 * @param set its name
 * @param classes number of classes
 * @param tested number of test pictures
 */
public record FewShotReport(String set, int classes, int tested, List<FewShotRow> rows) {

    /** One row for each method and number of shots. */
    public Table table() {
        Table table = new Table(
                "set", "method", "shots", "trained numbers", "accuracy", "95 % interval", "on its shots", "seconds");
        for (FewShotRow row : rows) {
            Interval accuracy = row.accuracy();
            table.row(
                    set,
                    row.method(),
                    row.shots(),
                    "%,d".formatted(row.parameters()),
                    percent(accuracy.value()),
                    Double.isNaN(accuracy.low()) ? "-" : percent(accuracy.low()) + " to " + percent(accuracy.high()),
                    Double.isNaN(row.train()) ? "-" : percent(row.train()),
                    String.format(Locale.ROOT, "%.1f", row.seconds()));
        }
        return table;
    }

    private static String percent(double share) {
        return String.format(Locale.ROOT, "%.1f %%", 100 * share);
    }

    public ObjectNode json() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("set", set).put("classes", classes).put("tested", tested);
        ArrayNode list = json.putArray("rows");
        for (FewShotRow row : rows) {
            Interval accuracy = row.accuracy();
            ObjectNode node = list.addObject()
                    .put("method", row.method())
                    .put("shots", row.shots())
                    .put("parameters", row.parameters())
                    .put("accuracy", accuracy.value());
            if (!Double.isNaN(accuracy.low())) {
                node.putArray("interval").add(accuracy.low()).add(accuracy.high());
            }
            if (!Double.isNaN(row.train())) {
                node.put("train_accuracy", row.train());
            }
            ArrayNode seeds = node.putArray("seeds");
            row.test().forEach(seeds::add);
            node.put("seconds", row.seconds());
        }
        return json;
    }

    /** Accuracy against shots, a line for each method; the base as it is stands at 0 shots. */
    public void plot(Path png) {
        SequencedMap<String, List<AccuracyPlot.Point>> lines = new LinkedHashMap<>();
        for (FewShotRow row : rows) {
            Interval accuracy = row.accuracy();
            double half = Double.isNaN(accuracy.low()) ? 0 : accuracy.high() - accuracy.value();
            lines.computeIfAbsent(row.method(), _ -> new ArrayList<>())
                    .add(new AccuracyPlot.Point(row.shots(), accuracy.value(), half));
        }
        AccuracyPlot.write(png, set + ", " + classes + " classes", "shots per class", lines);
    }
}
