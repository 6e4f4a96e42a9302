package io.lorica.adapter.vera;

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
import io.lorica.tensor.Seed;
import java.util.List;
import java.util.Optional;

/**
 * VeRA (Kopiczko et al., VeRA: Vector-based Random Matrix Adaptation, 2024):
 * {@code y = W x + b + diag(b) B diag(d) A dropout(x)} with one frozen random pair A, B for all sites.
 */
public final class VeraMethod implements Method {

    @Override
    public MethodInfo info() {
        return new MethodInfo(
                "vera",
                "VERA",
                "two trained vectors around one random projection that all sites share",
                "Kopiczko et al., VeRA: Vector-based Random Matrix Adaptation, 2024",
                "other form",
                "nothing",
                true,
                true,
                List.of(
                        new MethodInfo.Key("r", "256", "rows of the shared projection"),
                        new MethodInfo.Key("projection_prng_key", "0", "seed of the shared projection"),
                        new MethodInfo.Key("save_projection", "true", "whether the projection is in the file"),
                        new MethodInfo.Key("vera_dropout", "0.0", "dropout of the branch's input"),
                        new MethodInfo.Key("d_initial", "0.1", "where the vector d starts"),
                        new MethodInfo.Key("init_weights", "true", "false: the adapter changes the model at once"),
                        new MethodInfo.Key("fan_in_fan_out", "false", "for PEFT: weights are stored [in, out]")));
    }

    @Override
    public MethodConfig parse(Options options) {
        return VeraConfig.parse(options);
    }

    @Override
    public void validate(MethodConfig config, SiteShape site, String where) {
        LowRankConfig.requireLinear(site, "vera", where);
    }

    @Override
    public Optional<String> ownBiases() {
        return Optional.of("vera_only");
    }

    @Override
    public Shared share(MethodConfig config, BaseModel model, List<Site> sites, Calibration calibration, Seed seed) {
        return VeraProjection.draw((VeraConfig) config, sites);
    }

    @Override
    public SiteAdapter adapt(MethodConfig config, Site site, Shared shared, Seed seed) {
        return new VeraLinear((Linear) site, (VeraConfig) config, (VeraProjection) shared, seed);
    }
}
