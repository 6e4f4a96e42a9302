package io.lorica.adapter.mola;

import io.lorica.adapter.Adapter;
import io.lorica.adapter.Calibration;
import io.lorica.adapter.Method;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.MethodInfo;
import io.lorica.adapter.Options;
import io.lorica.adapter.PassLoss;
import io.lorica.adapter.Shared;
import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.SiteShape;
import io.lorica.adapter.TrainingRule;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.adapter.moe.RoutingLog;
import io.lorica.model.BaseModel;
import io.lorica.model.Linear;
import io.lorica.model.Site;
import io.lorica.tensor.Seed;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;

/**
 * MoLA (Gao et al., Higher Layers Need More LoRA Experts, 2024; MoLA: MoE LoRA with Layer-wise Expert Allocation, 2025): each
 * linear map has a router of its own and as many LoRA experts as its layer is given.
 *
 * <p>With router {@code R: [E, in]}, rows {@code x: [T, in]}: {@code p = softmax(x R^T)} in float32, {@code (w, e) = topk(p, K)},
 * {@code w = w / sum w}, {@code y = W x + b + alpha / r sum_k w_k B_e_k A_e_k dropout(x)}. R and A start Kaiming-uniform, B at 0.
 *
 * <p>Keys in the file are the authors'; they leave {@code number_experts} and {@code top_k} out of the configuration, which
 * has them here, one for each layer. Where only some layers are adapted, lists count up to the highest of these. A site with one
 * expert computes exactly LoRA.
 */
public final class MolaMethod implements Method {

    @Override
    public MethodInfo info() {
        return new MethodInfo(
                "mola",
                "MOLA",
                "routed LoRA experts at every site, their number by layer",
                "Gao et al., Higher Layers Need More LoRA Experts (MoLA), 2024",
                "routed",
                "nothing",
                false,
                false,
                List.of(
                        new MethodInfo.Key(
                                MolaConfig.EXPERTS,
                                "2-4-6-8",
                                "a number, a list by layer, or a pattern for equal groups"),
                        new MethodInfo.Key("top_k", "2", "experts that a token visits; a number or a list"),
                        new MethodInfo.Key("r", "8", "rank of an expert; a number or a list"),
                        new MethodInfo.Key("lora_alpha", "16", "an expert's update is scaled by lora_alpha / r"),
                        new MethodInfo.Key("lora_dropout", "0.05", "dropout of what an expert is sent"),
                        new MethodInfo.Key(MolaConfig.BALANCE, "false", "add a loss that keeps all experts in use"),
                        new MethodInfo.Key("router_aux_loss_coef", "0.001", "factor on that loss")));
    }

    @Override
    public MethodConfig parse(Options options) {
        return MolaConfig.parse(options);
    }

    @Override
    public void validate(MethodConfig config, List<SiteShape> sites, String where) {
        sites.forEach(site -> LowRankConfig.requireLinear(site, "mola", where));
        ((MolaConfig) config).validate(sites, where);
    }

    @Override
    public MethodConfig saving(MethodConfig config, Shared shared) {
        return ((MolaConfig) config).spread(((Layers) shared).count());
    }

    @Override
    public Shared share(MethodConfig config, BaseModel model, List<Site> sites, Calibration calibration, Seed seed) {
        return new Layers(MolaConfig.layers(sites.stream().map(Site::name).toList()));
    }

    /** How many layers the lists are for. */
    private record Layers(int count) implements Shared {
        @Override
        public SequencedMap<String, Tensor> tensors() {
            return new LinkedHashMap<>();
        }
    }

    @Override
    public SiteAdapter adapt(MethodConfig config, Site site, Shared shared, Seed seed) {
        return MolaLinear.fresh((Linear) site, (MolaConfig) config, ((Layers) shared).count(), seed);
    }

    @Override
    public TrainingRule trainingRule(MethodConfig config, Adapter adapter, Seed seed) {
        return new TrainingRule() {
            @Override
            public PassLoss passLoss(double share, int[] lengths) {
                return new RoutingLog(((MolaConfig) config).balance(), share, lengths);
            }
        };
    }
}
