package io.lorica.train.analyze;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.ExpertUse;
import io.lorica.adapter.PassLoss;
import io.lorica.model.Pass;
import io.lorica.model.Transformer;
import io.lorica.tensor.AtomicFile;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.train.data.Example;
import io.lorica.train.report.HeatMap;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;

/** How a routed adapter shares tokens among its experts, router by router. */
public record RoutingReport(SequencedMap<String, ExpertUse> uses) {

    /** Of an adapter without routers. */
    public static final RoutingReport NONE = new RoutingReport(new LinkedHashMap<>());

    /**
     * Lets the model read the examples as they are, with the adapters that are active.
     *
     * @param logs a new one for a pass of so many tokens
     */
    public static RoutingReport of(Transformer model, List<Example> examples, IntFunction<PassLoss> logs) {
        SequencedMap<String, ExpertUse> uses = new LinkedHashMap<>();
        for (Example example : examples) {
            PassLoss log = logs.apply(example.length());
            try (Scope _ = Scope.open();
                    Grad _ = Grad.disabled()) {
                Tensor _ = model.hidden(
                        Example.batch(List.of(example)), Pass.inference().with(log));
            }
            log.uses().forEach((router, use) -> uses.merge(router, use, ExpertUse::plus));
        }
        return new RoutingReport(uses);
    }

    /** Mean of {@link ExpertUse#evenness} over routers; NaN where there are none. */
    public double evenness() {
        return uses.values().stream().mapToDouble(ExpertUse::evenness).average().orElse(Double.NaN);
    }

    /** Writes {@code routing.json} and {@code routing.png}. */
    public void write(Path directory) {
        AtomicFile.writeString(directory.resolve("routing.json"), json().toPrettyString() + "\n");
        plot(directory.resolve("routing.png"));
    }

    private ObjectNode json() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        ArrayNode routers = json.putArray("routers");
        uses.forEach((name, use) -> {
            ObjectNode router = routers.addObject()
                    .put("router", name)
                    .put("tokens", use.tokens())
                    .put("top_k", use.choices())
                    .put("evenness", use.evenness());
            ArrayNode visits = router.putArray("visits");
            ArrayNode probabilities = router.putArray("mean_probability");
            for (int e = 0; e < use.visits().length; e++) {
                visits.add(use.visits()[e]);
                probabilities.add(use.probabilities()[e] / use.tokens());
            }
        });
        return json;
    }

    /** Routers by experts, coloured by the share of the visits; rows have as many numbers as the router has experts. */
    private void plot(Path png) {
        int most = uses.values().stream()
                .mapToInt(use -> use.visits().length)
                .max()
                .orElse(0);
        List<List<Double>> values = new ArrayList<>();
        for (ExpertUse use : uses.values()) {
            double[] shares = use.shares();
            values.add(IntStream.range(0, most)
                    .mapToObj(e -> e < shares.length ? shares[e] : Double.NaN)
                    .toList());
        }
        List<String> experts =
                IntStream.range(0, most).mapToObj(Integer::toString).toList();
        new HeatMap("share of the visits that each expert had", "expert", "router", 1)
                .write(png, experts, List.copyOf(uses.keySet()), values);
    }
}
