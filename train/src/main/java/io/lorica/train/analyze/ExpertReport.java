package io.lorica.train.analyze;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.Adapter;
import io.lorica.adapter.Factors;
import io.lorica.adapter.SiteAdapter;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.train.report.HeatMap;
import io.lorica.train.report.Table;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SequencedMap;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;

/**
 * How much the experts of a routed adapter repeat one another, by layer and module (Gao et al., MoLA, 2024, section 4): the mean
 * Frobenius distance {@code |P_i - P_j|} over all pairs of experts, {@code P = s B A}. It grows with the size of the
 * updates, so it is given over their mean norm as well: 0 where all experts are the same, 1.41 where they have one norm and nothing
 * in common. That pairs are averaged is our reading of the paper.
 */
public record ExpertReport(List<Row> rows) {

    /**
     * The experts of one site.
     *
     * @param distance mean over pairs
     * @param norm mean over experts
     */
    public record Row(String layer, String module, int experts, double distance, double norm) {

        /** NaN before training, where all experts are 0. */
        public double relative() {
            return distance / norm;
        }
    }

    /** @throws LoricaException.Unsupported where no site has two experts or more */
    public static ExpertReport of(Adapter adapter) {
        List<Row> rows = new ArrayList<>();
        for (SiteAdapter part : adapter.sites().values()) {
            if (part.experts().size() > 1) {
                rows.add(row(part.site().name(), part.experts()));
            }
        }
        if (rows.isEmpty()) {
            throw new LoricaException.Unsupported("the adapter's method is '"
                    + adapter.config().method().info().name()
                    + "', and no site of it has two experts to compare; give a routed adapter (mola, mixlora)");
        }
        return new ExpertReport(rows);
    }

    private static Row row(String site, List<Factors> experts) {
        double[][] products = new double[experts.size()][experts.size()];
        for (int i = 0; i < experts.size(); i++) {
            for (int j = i; j < experts.size(); j++) {
                products[i][j] = product(experts.get(i), experts.get(j));
            }
        }
        double norms = 0;
        double distances = 0;
        for (int i = 0; i < experts.size(); i++) {
            norms += Math.sqrt(Math.max(0, products[i][i]));
            for (int j = i + 1; j < experts.size(); j++) {
                distances += Math.sqrt(Math.max(0, products[i][i] + products[j][j] - 2 * products[i][j]));
            }
        }
        int pairs = experts.size() * (experts.size() - 1) / 2;
        String module = site.substring(site.lastIndexOf('.') + 1);
        String layer = site.replaceFirst("^(?:.*?\\.)?(\\d+)\\..*$", "$1");
        return new Row(layer, module, experts.size(), distances / pairs, norms / experts.size());
    }

    /** {@code tr(P_i^T P_j) = s_i s_j sum((B_i^T B_j) * (A_i A_j^T))}: no product is formed. */
    private static double product(Factors left, Factors right) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor outputs = left.b().t().mm(right.b());
            Tensor inputs = left.a().mm(right.a().t());
            return left.scaling() * right.scaling() * outputs.mul(inputs).sum().item_double();
        }
    }

    public Table table() {
        Table table = new Table("layer", "module", "experts", "distance", "norm", "distance / norm");
        rows.forEach(row -> table.row(
                row.layer(),
                row.module(),
                row.experts(),
                number(row.distance()),
                number(row.norm()),
                Double.isNaN(row.relative()) ? "-" : String.format(Locale.ROOT, "%.3f", row.relative())));
        return table;
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, "%.4g", value);
    }

    public ObjectNode json() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        ArrayNode array = json.putArray("sites");
        rows.forEach(row -> {
            ObjectNode site = array.addObject()
                    .put("layer", row.layer())
                    .put("module", row.module())
                    .put("experts", row.experts())
                    .put("distance", row.distance())
                    .put("norm", row.norm());
            if (!Double.isNaN(row.relative())) {
                site.put("relative", row.relative());
            }
        });
        return json;
    }

    /** Layers by modules, coloured by {@link Row#relative}. */
    public void plot(Path png) {
        Set<String> modules = new LinkedHashSet<>();
        SequencedMap<String, Map<String, Double>> layers = new LinkedHashMap<>();
        for (Row row : rows) {
            modules.add(row.module());
            layers.computeIfAbsent(row.layer(), _ -> new LinkedHashMap<>()).put(row.module(), row.relative());
        }
        List<List<Double>> values = layers.values().stream()
                .map(layer -> modules.stream()
                        .map(module -> layer.getOrDefault(module, Double.NaN))
                        .toList())
                .toList();
        new HeatMap("distance of experts / their norm (0: all the same)", "module", "layer", 1.5)
                .write(png, List.copyOf(modules), List.copyOf(layers.keySet()), values);
    }
}
