package io.lorica.adapter.loha;

import io.lorica.adapter.Method;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.MethodInfo;
import io.lorica.adapter.Options;
import io.lorica.adapter.Shared;
import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.SiteShape;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.adapter.lowrank.LycorisConfig;
import io.lorica.model.Linear;
import io.lorica.model.Site;
import io.lorica.tensor.Seed;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * LoHa (Hyeon-Woo et al., FedPara: Low-Rank Hadamard Product for Communication-Efficient Federated Learning, 2022):
 * {@code y = W x + b + alpha / r ((A1 B1) * (A2 B2)) x}, elementwise {@code *}, of rank up to {@code r^2}.
 */
public final class LohaMethod implements Method {

    @Override
    public MethodInfo info() {
        List<MethodInfo.Key> keys = new ArrayList<>(LycorisConfig.KEYS);
        keys.add(new MethodInfo.Key("init_weights", "true", "false: the adapter changes the model at once"));
        return new MethodInfo(
                "loha",
                "LOHA",
                "two low-rank products, multiplied element by element",
                "Hyeon-Woo et al., FedPara: Low-Rank Hadamard Product for Communication-Efficient Federated Learning,"
                        + " 2022",
                "other form",
                "nothing",
                true,
                true,
                keys);
    }

    @Override
    public MethodConfig parse(Options options) {
        return LohaConfig.parse(options);
    }

    @Override
    public void validate(MethodConfig config, SiteShape site, String where) {
        LowRankConfig.requireLinear(site, "loha", where);
        ((LohaConfig) config).common().ranks().validate(site, where);
    }

    /** PEFT trains no biases with LoHa. */
    @Override
    public Optional<String> ownBiases() {
        return Optional.empty();
    }

    @Override
    public SiteAdapter adapt(MethodConfig config, Site site, Shared shared, Seed seed) {
        return new LohaLinear((Linear) site, (LohaConfig) config, seed);
    }
}
