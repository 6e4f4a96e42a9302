package io.lorica.adapter.loraga;

import io.lorica.adapter.Calibration;
import io.lorica.adapter.Method;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.MethodInfo;
import io.lorica.adapter.Options;
import io.lorica.adapter.Shared;
import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.SiteShape;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.adapter.lowrank.PairAdapter;
import io.lorica.adapter.lowrank.Start;
import io.lorica.adapter.lowrank.WeightGradients;
import io.lorica.model.BaseModel;
import io.lorica.model.Linear;
import io.lorica.model.Site;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Seed;
import java.util.List;
import java.util.stream.Stream;

/**
 * LoRA-GA (Wang et al., 2024): A and B start from singular vectors of the loss gradient {@code G: [out, in]}, so that the
 * first step of LoRA moves the weight as the first step of full fine-tuning would.
 *
 * <p>Of the 2r leading triplets of G, A takes r right vectors and B the other r left ones, both times
 * {@code out^(1/4) / sqrt(gamma)}, and the frozen weight counts as {@code W - s B A}. One step then changes the weight by
 * {@code -lr s^2 (sqrt(out) / gamma) G_2r}, with {@code G_2r} the best rank-2r approximation of G.
 *
 * <p>This is the official code, and its paper where gamma stands under a root. PEFT's {@code lora_ga} differs (it multiplies
 * B by the singular values and scales only B), so that the identity above fails there. Here singular vectors are exact
 * where the official code takes {@code svd_lowrank}; the pass runs in evaluation mode; 16 batches of 2 instead of the
 * official 64 (8 in the paper's runs), which is little beside an epoch of 1,000 rows. Batches weigh equally whatever their
 * count of targets.
 *
 * <p>Saved as plain LoRA of twice the rank on the unchanged base. Prefer a learning rate near full fine-tuning's.
 */
public final class LoraGaMethod implements Method {

    @Override
    public MethodInfo info() {
        return new MethodInfo(
                "lora-ga",
                "LORA",
                "starts from singular vectors of the loss gradient, so that the first step is full fine-tuning's",
                "Wang et al., LoRA-GA: Low-Rank Adaptation with Gradient Approximation, 2024",
                "starts from data",
                "gradients",
                true,
                true,
                Stream.concat(LowRankConfig.KEYS.stream().map(LoraGaMethod::ownDefault), LoraGaConfig.KEYS.stream())
                        .toList());
    }

    /** The paper's runs scale by the root of the rank and take alpha 16. */
    private static MethodInfo.Key ownDefault(MethodInfo.Key key) {
        return switch (key.name()) {
            case "use_rslora" -> new MethodInfo.Key(key.name(), "true", key.description());
            case "lora_alpha" -> new MethodInfo.Key(key.name(), "16", key.description());
            default -> key;
        };
    }

    @Override
    public MethodConfig parse(Options options) {
        return LoraGaConfig.parse(options);
    }

    @Override
    public void validate(MethodConfig config, SiteShape site, String where) {
        LowRankConfig.requireLinear(site, "lora-ga", where);
        int r = ((LoraGaConfig) config).lowRank().rank(site.name());
        long smaller = Math.min(site.in(), site.out());
        if (2L * r > smaller) {
            throw new LoricaException.BadInput(where + ": rank " + r + " at " + site.describe() + " needs " + 2 * r
                    + " singular vectors of the gradient, which has " + smaller + "; choose r <= " + smaller / 2
                    + ", or set it for this site in rank_pattern");
        }
    }

    @Override
    public MethodConfig saving(MethodConfig config, Shared shared) {
        return ((LoraGaConfig) config).lowRank().widened();
    }

    @Override
    public Shared share(MethodConfig config, BaseModel model, List<Site> sites, Calibration calibration, Seed seed) {
        LoraGaConfig settings = (LoraGaConfig) config;
        calibration.examples(); // says what to do where there is no data
        Starts starts = new Starts();
        WeightGradients.each(
                sites,
                calibration,
                settings.batches(),
                settings.batch(),
                (site, gradient) -> starts.put(site, GradientStart.of(settings, site, gradient, seed.of(site.name()))));
        return starts;
    }

    /** A site that the loss does not depend on starts as plain LoRA. */
    @Override
    public SiteAdapter adapt(MethodConfig config, Site site, Shared shared, Seed seed) {
        LowRankConfig lowRank = ((LoraGaConfig) config).lowRank();
        Linear linear = (Linear) site;
        Start start =
                ((Starts) shared).take(linear).orElseGet(() -> Start.lora(linear, lowRank.rank(site.name()), seed));
        return new PairAdapter(linear, lowRank, start);
    }
}
