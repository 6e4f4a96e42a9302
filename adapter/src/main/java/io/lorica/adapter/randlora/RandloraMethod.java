package io.lorica.adapter.randlora;

import io.lorica.adapter.Calibration;
import io.lorica.adapter.Method;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.MethodInfo;
import io.lorica.adapter.Options;
import io.lorica.adapter.Shared;
import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.SiteShape;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.model.BaseModel;
import io.lorica.model.Linear;
import io.lorica.model.Site;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Seed;
import java.util.List;
import java.util.Optional;

/**
 * RandLoRA (Albert et al., RandLoRA: Full-rank parameter-efficient fine-tuning of large models, 2025): a change of full rank
 * as a sum of frozen random products {@code B_b diag(lambda_b) A diag(gamma_b)}.
 */
public final class RandloraMethod implements Method {

    @Override
    public MethodInfo info() {
        return new MethodInfo(
                "randlora",
                "RANDLORA",
                "a full-rank sum of frozen random products with trained scalings",
                "Albert et al., RandLoRA: Full-rank parameter-efficient fine-tuning of large models, 2025",
                "other form",
                "nothing",
                true,
                true,
                List.of(
                        new MethodInfo.Key("r", "32", "rank of one basis; a smaller r trains more numbers"),
                        new MethodInfo.Key("randlora_alpha", "640", "the update is scaled by randlora_alpha / r"),
                        new MethodInfo.Key("randlora_scaling", "\"peft\"", "\"official\": divided by sqrt(n) too"),
                        new MethodInfo.Key("randlora_dropout", "0.0", "dropout of the branch's input"),
                        new MethodInfo.Key("projection_prng_key", "0", "seed of the bases"),
                        new MethodInfo.Key("save_projection", "true", "whether the bases are in the file"),
                        new MethodInfo.Key("sparse", "false", "bases of -1, 0 and 1"),
                        new MethodInfo.Key("very_sparse", "false", "the same with fewer ones"),
                        new MethodInfo.Key("init_weights", "true", "false: the adapter changes the model at once"),
                        new MethodInfo.Key("fan_in_fan_out", "false", "for PEFT: weights are stored [in, out]")));
    }

    @Override
    public MethodConfig parse(Options options) {
        return RandloraConfig.parse(options);
    }

    @Override
    public void validate(MethodConfig config, SiteShape site, String where) {
        LowRankConfig.requireLinear(site, "randlora", where);
        int r = ((RandloraConfig) config).r();
        if (r > Math.min(site.in(), site.out())) {
            throw new LoricaException.BadInput(where + ": r " + r + " at " + site.describe()
                    + " is above the smaller side; choose r <= " + Math.min(site.in(), site.out()));
        }
    }

    @Override
    public Optional<String> ownBiases() {
        return Optional.of("randlora_only");
    }

    @Override
    public MethodConfig saving(MethodConfig config, Shared shared) {
        return ((RandloraConfig) config).withPeftScaling();
    }

    @Override
    public Shared share(MethodConfig config, BaseModel model, List<Site> sites, Calibration calibration, Seed seed) {
        return RandloraBases.draw((RandloraConfig) config, sites);
    }

    @Override
    public SiteAdapter adapt(MethodConfig config, Site site, Shared shared, Seed seed) {
        return new RandloraLinear((Linear) site, (RandloraConfig) config, (RandloraBases) shared, seed);
    }
}
