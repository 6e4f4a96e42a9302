package io.lorica.bench;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.Adapter;
import io.lorica.adapter.AdapterConfig;
import io.lorica.adapter.AdapterStack;
import io.lorica.model.Batch;
import io.lorica.model.CausalModel;
import io.lorica.model.ModelStore;
import io.lorica.model.Pass;
import io.lorica.model.Pretrained;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Threads;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.bytedeco.pytorch.Tensor;

/**
 * What experts cost: seconds of a forward and backward pass of LLaVA-MoLE with different numbers of them, and of plain LoRA of the
 * same rank on the same sites. Routers are fresh, so that tokens spread over all experts. The optimizer is left out: its work
 * grows with all trained numbers, not with those that tokens visit.
 */
public final class ExpertsBench {
    private ExpertsBench() {}

    /**
     * @param experts numbers to try
     * @param tokens of the batch, one sequence
     * @param rounds in which all take turns; the median counts
     */
    public record Setup(String model, List<Integer> experts, int rank, int tokens, int rounds, int threads) {}

    /**
     * @param experts 0 for plain LoRA
     * @param seconds median of the rounds
     */
    public record Result(int experts, double seconds, long trained) {}

    public static List<Result> run(Setup setup, ModelStore store) {
        Threads.set(setup.threads());
        List<Integer> all = new ArrayList<>(List.of(0));
        all.addAll(setup.experts());
        try (Pretrained base = store.open(setup.model(), DType.F32);
                AdapterStack stack = new AdapterStack(base.model())) {
            all.forEach(experts ->
                    stack.add(name(experts), Adapter.create(base.model(), config(experts, setup.rank()), new Seed(1))));
            CausalModel model = base.causal();
            long[] tokens = new Random(1)
                    .longs(setup.tokens(), 0, model.vocabularySize())
                    .toArray();
            double[][] seconds = new double[all.size()][setup.rounds()];
            for (int round = -1; round < setup.rounds(); round++) { // the first warms up
                for (int i = 0; i < all.size(); i++) {
                    stack.activate(name(all.get(i)));
                    double took = step(model, stack.adapter(name(all.get(i))), tokens);
                    if (round >= 0) {
                        seconds[i][round] = took;
                    }
                }
            }
            List<Result> results = new ArrayList<>();
            for (int i = 0; i < all.size(); i++) {
                long trained = stack.adapter(name(all.get(i))).parameterCount();
                results.add(new Result(all.get(i), median(seconds[i]), trained));
            }
            return results;
        }
    }

    private static String name(int experts) {
        return "experts-" + experts;
    }

    private static AdapterConfig config(int experts, int rank) {
        ObjectNode settings = JsonNodeFactory.instance
                .objectNode()
                .put("r", rank)
                .put("lora_alpha", 2 * rank)
                .put("lora_dropout", 0.0)
                .put("target_modules", "all-linear");
        return experts == 0
                ? AdapterConfig.of("lora", settings)
                : AdapterConfig.of("llava-mole", settings.put("num_experts", experts));
    }

    private static double step(CausalModel model, Adapter adapter, long[] tokens) {
        long began = System.nanoTime();
        try (Scope _ = Scope.open();
                Grad _ = Grad.enabled()) {
            Tensor hidden = model.hidden(Batch.of(List.of(tokens)), Pass.training(new Seed(2)));
            hidden.sum().backward();
            double took = (System.nanoTime() - began) / 1e9;
            adapter.trainables().forEach(trainable -> {
                Tensor gradient = trainable.tensor().grad();
                if (gradient.defined()) {
                    gradient.zero_();
                }
            });
            return took;
        }
    }

    private static double median(double[] values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        return (sorted[(sorted.length - 1) / 2] + sorted[sorted.length / 2]) / 2;
    }
}
