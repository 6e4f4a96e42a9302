package io.lorica.adapter.lorasb;

import io.lorica.adapter.Calibration;
import io.lorica.adapter.Method;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.MethodInfo;
import io.lorica.adapter.Options;
import io.lorica.adapter.Shared;
import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.SiteShape;
import io.lorica.adapter.lowrank.LowRank;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.adapter.lowrank.Svd;
import io.lorica.adapter.lowrank.WeightGradients;
import io.lorica.model.BaseModel;
import io.lorica.model.Linear;
import io.lorica.model.Site;
import io.lorica.tensor.Seed;
import java.util.List;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;

/**
 * LoRA-SB (Ponkshe et al., 2024): LoRA-XS between the singular vectors of the first update that full fine-tuning would
 * make.
 *
 * <p>{@code dW = -init_lr sign(G)} with G the gradient over some training examples (the sign is taken once, of the sum), which
 * is AdamW's first step. {@code dW = U S V^T}, {@code B = U_r}, {@code A = V_r^T}, both frozen, and {@code R = diag(S_r)} is
 * trained with a scaling of 1: the step then is the best that a rank of r allows, with no alpha to tune. The model starts one
 * step ahead, not where the base is.
 *
 * <p>{@code init_lr} is the learning rate of the first optimizer step; the official code divides it by the warm-up steps of
 * the estimation loader, which gives smaller values (3e-7 in its arithmetic runs). Decompositions are exact where the
 * official code takes randomized ones and rounds to bfloat16. A last batch that the samples do not fill is filled up.
 *
 * <p>{@code r^2} trained numbers a site. Weight decay on R pulls back to the base: keep it 0.
 */
public final class LoraSbMethod implements Method {

    @Override
    public MethodInfo info() {
        return new MethodInfo(
                "lora-sb",
                "LORA",
                "an r x r matrix is trained between bases of full fine-tuning's first update",
                "Ponkshe et al., Initialization using Update Approximation is a Silver Bullet for Extremely Efficient"
                        + " Low-Rank Fine-Tuning, 2024",
                "starts from data",
                "gradients",
                true,
                true,
                Stream.concat(LowRankConfig.KEYS.stream().filter(LoraSbMethod::settable), LoraSbConfig.KEYS.stream())
                        .toList());
    }

    private static boolean settable(MethodInfo.Key key) {
        return !List.of("lora_alpha", "alpha_pattern", "use_rslora").contains(key.name());
    }

    @Override
    public MethodConfig parse(Options options) {
        return LoraSbConfig.parse(options);
    }

    @Override
    public void validate(MethodConfig config, SiteShape site, String where) {
        LowRankConfig.requireLinear(site, "lora-sb", where);
        ((LoraSbConfig) config).lowRank().validate(site, where);
    }

    @Override
    public MethodConfig saving(MethodConfig config, Shared shared) {
        return ((LoraSbConfig) config).lowRank();
    }

    @Override
    public Shared share(MethodConfig config, BaseModel model, List<Site> sites, Calibration calibration, Seed seed) {
        LoraSbConfig settings = (LoraSbConfig) config;
        calibration.examples(); // says what to do where there is no data
        FirstUpdates updates = new FirstUpdates();
        WeightGradients.each(sites, calibration, settings.batches(), settings.batch(), (site, gradient) -> {
            Tensor step = LowRank.times(settings.sign() ? gradient.sign() : gradient, -settings.rate());
            updates.put(site, Svd.exact(step, settings.lowRank().rank(site.name())));
        });
        return updates;
    }

    @Override
    public SiteAdapter adapt(MethodConfig config, Site site, Shared shared, Seed seed) {
        return ((FirstUpdates) shared).take((Linear) site, ((LoraSbConfig) config).lowRank());
    }
}
