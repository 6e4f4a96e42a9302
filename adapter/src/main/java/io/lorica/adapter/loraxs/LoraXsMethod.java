package io.lorica.adapter.loraxs;

import io.lorica.adapter.Adapter;
import io.lorica.adapter.Method;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.MethodInfo;
import io.lorica.adapter.Options;
import io.lorica.adapter.Shared;
import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.SiteShape;
import io.lorica.adapter.TrainingRule;
import io.lorica.adapter.lowrank.LatentAdapter;
import io.lorica.adapter.lowrank.LowRank;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.adapter.lowrank.Start;
import io.lorica.adapter.lowrank.Svd;
import io.lorica.model.Linear;
import io.lorica.model.Site;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import java.util.List;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;

/**
 * LoRA-XS (Bałazy et al., 2024): only {@code R: [r, r]} is trained, between frozen singular vectors of the weight:
 * {@code W' = W + s B R A} with {@code W = U S V^T}, {@code A = S_r V_r^T}, {@code B = U_r}, {@code R ~ N(0, sigma^2)}.
 *
 * <p>The singular values go to A, as in the official code (the paper puts them to B), which takes a randomized
 * decomposition where this one is exact. The start moves the model by about {@code sigma} of a weight's largest
 * singular value, not by zero. With {@code precondition} the gradient of R is made the best one for the weight (LoRA-SB,
 * section 3), for which A's singular values otherwise weigh it.
 *
 * <p>{@code r^2} trained numbers a site, whatever its size; wants 10 to 100 times LoRA's learning rate.
 */
public final class LoraXsMethod implements Method {

    @Override
    public MethodInfo info() {
        return new MethodInfo(
                "lora-xs",
                "LORA",
                "an r x r matrix is trained between frozen singular vectors of the weight",
                "Bałazy et al., LoRA-XS: Low-Rank Adaptation with Extremely Small Number of Parameters, 2024",
                "starts from weights",
                "weights",
                true,
                true,
                Stream.concat(
                                LowRankConfig.KEYS.stream(),
                                Stream.of(
                                        new MethodInfo.Key("sigma", "1e-05", "deviation of R at the start"),
                                        new MethodInfo.Key(
                                                "precondition", "false", "make R's gradient the best for the weight")))
                        .toList());
    }

    @Override
    public MethodConfig parse(Options options) {
        return LoraXsConfig.parse(options);
    }

    @Override
    public void validate(MethodConfig config, SiteShape site, String where) {
        LowRankConfig.requireLinear(site, "lora-xs", where);
        ((LoraXsConfig) config).lowRank().validate(site, where);
    }

    @Override
    public MethodConfig saving(MethodConfig config, Shared shared) {
        return ((LoraXsConfig) config).lowRank();
    }

    @Override
    public SiteAdapter adapt(MethodConfig config, Site site, Shared shared, Seed seed) {
        LoraXsConfig settings = (LoraXsConfig) config;
        Linear linear = (Linear) site;
        int r = settings.lowRank().rank(site.name());
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Svd svd = Svd.exact(Start.frozen(linear), r);
            Start frame = Start.of(svd.s().unsqueeze(1).mul(svd.vt()), svd.u(), false);
            Tensor latent = LowRank.times(LowRank.normal(seed.of("R"), r, r), settings.sigma());
            return new LatentAdapter(linear, settings.lowRank(), frame, Scope.release(latent));
        }
    }

    @Override
    public TrainingRule trainingRule(MethodConfig config, Adapter adapter, Seed seed) {
        return ((LoraXsConfig) config).precondition()
                ? new Preconditioning(adapter.sites().values().stream()
                        .map(LatentAdapter.class::cast)
                        .toList())
                : TrainingRule.PLAIN;
    }

    private record Preconditioning(List<LatentAdapter> parts) implements TrainingRule {
        @Override
        public void beforeUpdate(long step) {
            for (LatentAdapter part : parts) {
                try (Scope _ = Scope.open();
                        Grad _ = Grad.disabled()) {
                    Tensor gradient = part.r().grad();
                    if (gradient.defined()) {
                        gradient.copy_(part.preconditioned(gradient));
                    }
                }
            }
        }
    }
}
