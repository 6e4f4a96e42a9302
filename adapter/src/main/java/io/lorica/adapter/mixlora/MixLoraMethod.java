package io.lorica.adapter.mixlora;

import io.lorica.adapter.Adapter;
import io.lorica.adapter.Calibration;
import io.lorica.adapter.FileKeys;
import io.lorica.adapter.Method;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.MethodInfo;
import io.lorica.adapter.Options;
import io.lorica.adapter.PassLoss;
import io.lorica.adapter.Shared;
import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.SiteShape;
import io.lorica.adapter.TrainingRule;
import io.lorica.adapter.lowrank.LowRank;
import io.lorica.adapter.lowrank.Start;
import io.lorica.adapter.moe.Expert;
import io.lorica.adapter.moe.ExpertGroup;
import io.lorica.adapter.moe.LayerKeys;
import io.lorica.adapter.moe.RoutedBlocks;
import io.lorica.adapter.moe.RoutingLog;
import io.lorica.model.BaseModel;
import io.lorica.model.Linear;
import io.lorica.model.Site;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;

/**
 * MixLoRA (Li et al., MixLoRA: Enhancing Large Language Models Fine-Tuning with LoRA based Mixture of Experts, 2024): a sparse
 * mixture of experts out of a dense model. Experts are LoRA (or DoRA) on the maps of the feed-forward block, whose frozen weights
 * they share; other targets get plain LoRA.
 *
 * <p>With router {@code G: [E, hidden]} of the block, rows {@code x: [T, hidden]}: {@code p = softmax(x G^T)} in float32,
 * {@code (w, e) = topk(p, K)}, {@code w = w / sum w}, {@code y = sum_k w_k FFN_e_k(x)}; {@code FFN_e} is the block with the update
 * {@code s B_e A_e} on each targeted map, {@code s = lora_alpha / r}. G starts normal with {@code router_init_range}, A
 * Kaiming-uniform, B at 0, so that the model starts as the base is whatever the router says.
 *
 * <p>With {@code mixlora-dynamic} a token visits the likeliest experts until their probabilities sum to more than {@code top_p}, and the
 * probabilities count as they are. {@code mixlora-switch} is refused: which tokens its capacity drops depends on how a sequence is cut
 * into calls, so that an answer would not be that of the whole text. Unlike MoE-PEFT the backward pass
 * of dropout is the true one, dropout may be 0, and padding counts nowhere, since there is none. Tensors are named as MoE-PEFT
 * does, in safetensors instead of a pickle; its configuration leaves the router's training settings out, which ours has.
 */
public final class MixLoraMethod implements Method {

    @Override
    public MethodInfo info() {
        return new MethodInfo(
                "mixlora",
                "MIXLORA",
                "routed LoRA experts of the feed-forward block, plain LoRA elsewhere",
                "Li et al., MixLoRA: Enhancing LLM Fine-Tuning with LoRA based Mixture of Experts, 2024",
                "routed",
                "nothing",
                false,
                false,
                List.of(
                        new MethodInfo.Key("num_experts", "8", "experts of each feed-forward block"),
                        new MethodInfo.Key(
                                "routing_strategy", "mixlora", "mixlora-dynamic: as many experts as top_p needs"),
                        new MethodInfo.Key("top_k", "2", "experts that a token visits"),
                        new MethodInfo.Key("top_p", "0.8", "of mixlora-dynamic: the probability that they must exceed"),
                        new MethodInfo.Key(
                                "temperature", "0", "of mixlora-dynamic: divides the probabilities; 0: does not"),
                        new MethodInfo.Key("r", "16", "rank"),
                        new MethodInfo.Key("lora_alpha", "32", "an update is scaled by lora_alpha / r"),
                        new MethodInfo.Key("lora_dropout", "0.05", "dropout of a branch's input"),
                        new MethodInfo.Key("use_rslora", "false", "scale by lora_alpha / sqrt(r)"),
                        new MethodInfo.Key("use_dora", "false", "DoRA in the place of LoRA (MixDoRA)"),
                        new MethodInfo.Key("expert_lora", "null", "the five settings above for experts alone"),
                        new MethodInfo.Key("lora_init", "original", "gaussian: normal A"),
                        new MethodInfo.Key("router_loss", "true", "add a loss that keeps all experts in use"),
                        new MethodInfo.Key("router_aux_loss_coef", "0.001", "factor on that loss"),
                        new MethodInfo.Key("router_init_range", "0.02", "deviation of a router's start"),
                        new MethodInfo.Key("jitter_noise", "0", "noise on the block's input in training")));
    }

    @Override
    public boolean usuallyAllLinear() {
        return true;
    }

    @Override
    public MethodConfig parse(Options options) {
        return MixLoraConfig.parse(options);
    }

    @Override
    public void validate(MethodConfig config, List<SiteShape> sites, String where) {
        ((MixLoraConfig) config).validate(sites, where);
    }

    @Override
    public FileKeys fileKeys(BaseModel model) {
        return new MixLoraKeys(LayerKeys.of(model, "mixlora."));
    }

    @Override
    public Shared share(MethodConfig config, BaseModel model, List<Site> sites, Calibration calibration, Seed seed) {
        MixLoraConfig mix = (MixLoraConfig) config;
        return RoutedBlocks.of("mixlora", model, sites, "", (block, tensors) -> {
            Tensor start = LowRank.normal(
                    seed.of(block.name()), mix.experts(), block.gate().in());
            Tensor weight = Scope.release(LowRank.times(start, mix.initRange()));
            tensors.put("moe_gate.weight", weight);
            return new MixLoraBlock(block, mix.router(block.name(), weight), mix.jitter());
        });
    }

    @Override
    public SiteAdapter adapt(MethodConfig config, Site site, Shared shared, Seed seed) {
        MixLoraConfig mix = (MixLoraConfig) config;
        Linear map = (Linear) site;
        if (!RoutedBlocks.inBlock(site.name())) {
            return lora(map, site.name(), mix.plain(), mix.gaussian(), seed);
        }
        List<Expert> experts = IntStream.range(0, mix.experts())
                .mapToObj(e -> lora(map, site.name() + ".experts." + e, mix.expert(), mix.gaussian(), seed.of(e)))
                .toList();
        ExpertGroup group = new ExpertGroup(map, "mixlora", experts, (e, suffix) -> "experts." + e + "." + suffix);
        ((RoutedBlocks) shared).at(site).place(map, group);
        return group;
    }

    private static Expert lora(Linear map, String name, MixLoraConfig.Lora lora, boolean gaussian, Seed seed) {
        Start start = gaussian ? gaussian(map, lora.r(), seed) : Start.lora(map, lora.r(), seed);
        return new Expert(map, name, lora.lowRank(), start, lora.dora());
    }

    private static Start gaussian(Linear map, int r, Seed seed) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor a = LowRank.times(LowRank.normal(seed.of("A"), r, map.in()), 1.0 / r);
            return Start.of(a, Tensors.zeros(DType.F32, map.out(), r), false);
        }
    }

    @Override
    public TrainingRule trainingRule(MethodConfig config, Adapter adapter, Seed seed) {
        return new TrainingRule() {
            @Override
            public PassLoss passLoss(double share, int[] lengths) {
                return new RoutingLog(((MixLoraConfig) config).balance(), share, lengths);
            }
        };
    }
}
