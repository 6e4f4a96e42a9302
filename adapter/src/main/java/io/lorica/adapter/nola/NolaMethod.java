package io.lorica.adapter.nola;

import io.lorica.adapter.Method;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.MethodInfo;
import io.lorica.adapter.Options;
import io.lorica.adapter.Shared;
import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.SiteShape;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.model.Linear;
import io.lorica.model.Site;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Seed;
import java.util.List;

/**
 * NOLA (Koohpayegani et al., NOLA: Compressing LoRA using Linear Combination of Random Basis, 2024): LoRA's factors as mixes
 * of random matrices, so that only coefficients and a seed are trained and stored.
 */
public final class NolaMethod implements Method {

    @Override
    public MethodInfo info() {
        return new MethodInfo(
                "nola",
                "NOLA",
                "factors that mix random matrices from a seed; only the coefficients are trained",
                "Koohpayegani et al., NOLA: Compressing LoRA using Linear Combination of Random Basis, 2024",
                "other form",
                "nothing",
                true,
                false,
                List.of(
                        new MethodInfo.Key("r", "8", "rank; it does not change how much is trained"),
                        new MethodInfo.Key("lora_alpha", "8", "the update is scaled by lora_alpha / r; vit: 1"),
                        new MethodInfo.Key("lora_dropout", "0.0", "dropout of the branch's input"),
                        new MethodInfo.Key("nola_num_basis", "128", "random matrices in each factor"),
                        new MethodInfo.Key("nola_seed", "0", "brings the random matrices back"),
                        new MethodInfo.Key("nola_variant", "\"lm\"", "\"vit\": the authors' form for vision"),
                        new MethodInfo.Key("ka", "1024", "for vit: random matrices in A"),
                        new MethodInfo.Key("kb", "1024", "for vit: random matrices in B"),
                        new MethodInfo.Key(
                                "save_as", "\"compact\"", "\"lora\" saves the equal LoRA, which PEFT reads")));
    }

    @Override
    public MethodConfig parse(Options options) {
        return NolaConfig.parse(options);
    }

    @Override
    public void validate(MethodConfig config, SiteShape site, String where) {
        LowRankConfig.requireLinear(site, "nola", where);
        int r = ((NolaConfig) config).r();
        if (r > Math.min(site.in(), site.out())) {
            throw new LoricaException.BadInput(where + ": rank " + r + " at " + site.describe()
                    + " is above the smaller side; choose r <= " + Math.min(site.in(), site.out()));
        }
    }

    @Override
    public SiteAdapter adapt(MethodConfig config, Site site, Shared shared, Seed seed) {
        return new NolaLinear((Linear) site, (NolaConfig) config);
    }
}
