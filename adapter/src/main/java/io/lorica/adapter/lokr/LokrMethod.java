package io.lorica.adapter.lokr;

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
 * LoKr (Yeh et al., Navigating Text-To-Image Customization: From LyCORIS Fine-Tuning to Model Evaluation, 2024; the idea is
 * KronA's, Edalati et al. 2022): {@code y = W x + b + alpha / r (W1 kron W2) x}.
 */
public final class LokrMethod implements Method {

    @Override
    public MethodInfo info() {
        List<MethodInfo.Key> keys = new ArrayList<>(LycorisConfig.KEYS);
        keys.add(new MethodInfo.Key("rank_dropout_scale", "false", "whether the outputs that are kept grow"));
        keys.add(new MethodInfo.Key("decompose_both", "false", "whether W1 may be a low-rank product as W2 is"));
        keys.add(new MethodInfo.Key("decompose_factor", "-1", "side of W1; -1: near the square root"));
        keys.add(new MethodInfo.Key("init_weights", "true", "true: W1 starts at 0; \"lycoris\": W2 does; false: none"));
        return new MethodInfo(
                "lokr",
                "LOKR",
                "a Kronecker product of two small matrices",
                "Yeh et al., Navigating Text-To-Image Customization: From LyCORIS Fine-Tuning to Model Evaluation, 2024",
                "other form",
                "nothing",
                true,
                true,
                keys);
    }

    @Override
    public MethodConfig parse(Options options) {
        return LokrConfig.parse(options);
    }

    @Override
    public void validate(MethodConfig config, SiteShape site, String where) {
        LowRankConfig.requireLinear(site, "lokr", where);
    }

    /** PEFT trains no biases with LoKr. */
    @Override
    public Optional<String> ownBiases() {
        return Optional.empty();
    }

    @Override
    public SiteAdapter adapt(MethodConfig config, Site site, Shared shared, Seed seed) {
        return new LokrLinear((Linear) site, (LokrConfig) config, seed);
    }
}
