package io.lorica.train.eval;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.model.Rates;
import io.lorica.train.report.Table;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.SequencedMap;

/**
 * What an evaluation found.
 *
 * @param items how many rows were scored
 * @param values by name of the measure
 * @param notes what a reader must know of the numbers
 */
public record EvalResult(String task, long items, SequencedMap<String, Interval> values, List<String> notes) {
    public EvalResult {
        values = new LinkedHashMap<>(values);
        notes = List.copyOf(notes);
    }

    public EvalResult(String task, long items, SequencedMap<String, Interval> values) {
        this(task, items, values, List.of());
    }

    /** The same measures of recordings at several scales, each with its scale's key behind its name. */
    public static EvalResult byScale(SequencedMap<Rates, EvalResult> results) {
        EvalResult first = results.firstEntry().getValue();
        if (results.size() == 1) {
            return first;
        }
        SequencedMap<String, Interval> values = new LinkedHashMap<>();
        results.forEach((scale, result) ->
                result.values().forEach((name, value) -> values.put(name + "_" + scale.key(), value)));
        return new EvalResult(first.task(), first.items(), values, first.notes());
    }

    public ObjectNode json() {
        ObjectNode json =
                JsonNodeFactory.instance.objectNode().put("task", task).put("items", items);
        ObjectNode measures = json.putObject("values");
        values.forEach((name, interval) -> measures.putObject(name)
                .put("value", interval.value())
                .put("low", interval.low())
                .put("high", interval.high())
                .put("interval", "95% " + interval.method()));
        if (!notes.isEmpty()) {
            notes.forEach(json.putArray("notes")::add);
        }
        return json;
    }

    public String table() {
        Table table = new Table("task", "items", "measure", "value", "95 % interval", "by");
        values.forEach((name, interval) -> table.row(
                task,
                items,
                name,
                number(interval.value()),
                number(interval.low()) + " … " + number(interval.high()),
                interval.method()));
        return notes.isEmpty() ? table.text() : table.text() + "\n" + String.join("\n", notes);
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, "%.4f", value);
    }
}
