package io.lorica.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.train.TrainingCheck;
import io.lorica.train.report.Table;
import java.util.Locale;

/** What {@code lorica train --verify} says. */
final class VerifyReport {
    private VerifyReport() {}

    /** @return the exit code: 1 where the ways to compute a step differ by more than rounding */
    static int show(TrainingCheck check, Console console, boolean json) {
        if (json) {
            console.json(json(check));
        } else {
            console.print(table(check).text());
            console.print(
                    check.ok()
                            ? "the step is the same however it is split: differences %.1e (loss) and %.1e (gradient), %.0e allowed"
                                    .formatted(check.lossDifference(), check.normDifference(), check.tolerance())
                            : "the step depends on how it is split: differences %.1e (loss) and %.1e (gradient), only %.0e allowed"
                                    .formatted(check.lossDifference(), check.normDifference(), check.tolerance()));
        }
        return check.ok() ? 0 : 1;
    }

    private static Table table(TrainingCheck check) {
        Table table = new Table("one step of " + check.targets() + " targets", "loss", "gradient norm");
        for (TrainingCheck.Way way : check.ways()) {
            table.row(way.name(), number(way.loss()), Double.isNaN(way.norm()) ? "-" : number(way.norm()));
        }
        return table;
    }

    private static ObjectNode json(TrainingCheck check) {
        ObjectNode result = new ObjectMapper().createObjectNode();
        result.put("ok", check.ok());
        result.put("targets", check.targets());
        for (TrainingCheck.Way way : check.ways()) {
            ObjectNode node = result.withArray("ways").addObject();
            node.put("way", way.name()).put("loss", way.loss());
            if (!Double.isNaN(way.norm())) {
                node.put("gradient_norm", way.norm());
            }
        }
        result.put("loss_difference", check.lossDifference());
        result.put("gradient_difference", check.normDifference());
        return result.put("tolerance", check.tolerance());
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, "%.6f", value);
    }
}
