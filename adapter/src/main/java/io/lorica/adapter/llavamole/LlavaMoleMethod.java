package io.lorica.adapter.llavamole;

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
import io.lorica.adapter.moe.RoutedBlock;
import io.lorica.adapter.moe.RoutedBlocks;
import io.lorica.adapter.moe.Router;
import io.lorica.adapter.moe.RoutingLog;
import io.lorica.model.BaseModel;
import io.lorica.model.FeedForward;
import io.lorica.model.Linear;
import io.lorica.model.Site;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import java.util.List;
import java.util.SequencedMap;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;

/**
 * LLaVA-MoLE (Chen et al., LLaVA-MoLE: Sparse Mixture of LoRA Experts for Mitigating Data Conflicts in Instruction Finetuning
 * MLLMs, 2024): in the language model's feed-forward blocks each token gets one LoRA expert, at the cost of plain LoRA;
 * attention gets plain LoRA.
 *
 * <p>With router {@code R: [E, hidden]} and bias {@code c} of the block, rows {@code x: [T, hidden]}: {@code p = softmax(x R^T + c)} in
 * float32, {@code k = argmax p}; each map of the block computes {@code W x + s B_k A_k dropout(x)}, {@code s = lora_alpha / r}, with the
 * same k. R, c and A start uniform within {@code 1 / sqrt(in)}, B at 0.
 *
 * <p>The update is not multiplied by {@code p_k}. So in the paper's mode {@code sparse} the router learns from the balance loss
 * alone; {@code sparse_st} has the same values and lets the answer's loss reach it too, and is our default; {@code dense} is what the
 * released code computes when it answers. An adapter is used in the mode it was trained in. Sites outside the language model (the image tower)
 * stay as they are even where target_modules names them. The balance loss is taken by sample; micro-batches count by their tokens.
 */
public final class LlavaMoleMethod implements Method {

    @Override
    public MethodInfo info() {
        return new MethodInfo(
                "llava-mole",
                "LLAVA_MOLE",
                "one routed LoRA expert for each token in feed-forward blocks, plain LoRA elsewhere",
                "Chen et al., LLaVA-MoLE: Sparse Mixture of LoRA Experts, 2024",
                "routed",
                "nothing",
                false,
                false,
                List.of(
                        new MethodInfo.Key("num_experts", "3", "experts of each feed-forward block"),
                        new MethodInfo.Key("router_mode", "sparse_st", "sparse_st, sparse or dense"),
                        new MethodInfo.Key("moe_balance_w", "0.01", "factor on the loss that keeps experts in use"),
                        new MethodInfo.Key("r", "32", "rank"),
                        new MethodInfo.Key("lora_alpha", "64", "an update is scaled by lora_alpha / r"),
                        new MethodInfo.Key("lora_dropout", "0.05", "dropout of a branch's input")));
    }

    @Override
    public boolean usuallyAllLinear() {
        return true;
    }

    @Override
    public MethodConfig parse(Options options) {
        return LlavaMoleConfig.parse(options);
    }

    @Override
    public void validate(MethodConfig config, List<SiteShape> sites, String where) {
        ((LlavaMoleConfig) config).validate(sites, where);
    }

    @Override
    public FileKeys fileKeys(BaseModel model) {
        return new LlavaMoleKeys(LayerKeys.of(model, "llava_mole."));
    }

    @Override
    public Shared share(MethodConfig config, BaseModel model, List<Site> sites, Calibration calibration, Seed seed) {
        String language = LayerKeys.stem(model) + "layers.";
        return RoutedBlocks.of(
                "llava-mole",
                model,
                sites,
                language,
                (block, tensors) -> block((LlavaMoleConfig) config, block, tensors, seed.of(block.name())));
    }

    private static RoutedBlock block(
            LlavaMoleConfig config, FeedForward block, SequencedMap<String, Tensor> tensors, Seed seed) {
        long in = block.gate().in();
        Tensor weight = Scope.release(LowRank.kaiming(seed.of("weight"), config.experts(), in));
        // one row of such a matrix for each expert has the bias's distribution too
        Tensor bias = Scope.release(LowRank.kaiming(seed.of("bias"), config.experts(), in)
                .select(1, 0)
                .clone());
        tensors.put("router.weight", weight);
        tensors.put("router.bias", bias);
        Router.Shares shares = config.mode().shares();
        return new LlavaMoleBlock(
                block, new Router(block.name(), weight, bias, new Router.Choice.TopK(config.choices()), shares));
    }

    @Override
    public SiteAdapter adapt(MethodConfig config, Site site, Shared shared, Seed seed) {
        LlavaMoleConfig mole = (LlavaMoleConfig) config;
        Linear map = (Linear) site;
        int r = mole.lora().r();
        if (!RoutedBlocks.inBlock(site.name())) {
            return new Expert(map, site.name(), mole.lora(), Start.lora(map, r, seed), false);
        }
        List<Expert> experts = IntStream.range(0, mole.experts())
                .mapToObj(e -> new Expert(
                        map, site.name() + ".experts." + e, mole.lora(), Start.lora(map, r, seed.of(e)), false))
                .toList();
        ExpertGroup group = new ExpertGroup(map, "llava-mole", experts, (e, suffix) -> "experts." + e + "." + suffix);
        ((RoutedBlocks) shared).at(site).place(map, group);
        return group;
    }

    @Override
    public TrainingRule trainingRule(MethodConfig config, Adapter adapter, Seed seed) {
        return new TrainingRule() {
            @Override
            public PassLoss passLoss(double share, int[] lengths) {
                return new RoutingLog(((LlavaMoleConfig) config).balance(), share, lengths);
            }
        };
    }
}
