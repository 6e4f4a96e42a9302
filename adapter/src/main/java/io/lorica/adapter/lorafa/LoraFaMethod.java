package io.lorica.adapter.lorafa;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.DoubleNode;
import io.lorica.adapter.Adapter;
import io.lorica.adapter.Method;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.MethodInfo;
import io.lorica.adapter.Options;
import io.lorica.adapter.Shared;
import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.SiteShape;
import io.lorica.adapter.TrainingRule;
import io.lorica.adapter.lowrank.FrozenA;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.model.Linear;
import io.lorica.model.Site;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Seed;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * LoRA-FA (Zhang et al., LoRA-FA: Memory-efficient Low-rank Adaptation for Large Language Models Fine-tuning, 2023) as
 * PEFT's {@code LoraFAOptimizer} does it: A frozen, the gradient of B projected; see {@link GradientProjection}. The
 * paper only freezes A, which is method {@code ffa-lora}. Saved as plain LORA.
 */
public final class LoraFaMethod implements Method {

    @Override
    public MethodInfo info() {
        return new MethodInfo(
                "lora-fa",
                "LORA",
                "only B is trained, by the gradient that moves the weight best",
                "Zhang et al., LoRA-FA: Memory-efficient Low-rank Adaptation, 2023",
                "training rule",
                "nothing",
                true,
                true,
                Stream.concat(
                                LowRankConfig.KEYS.stream(),
                                Stream.of(new MethodInfo.Key("adam_epsilon", "1e-6", "as PEFT's optimizer has it")))
                        .toList());
    }

    @Override
    public Map<String, JsonNode> trainingDefaults() {
        return Map.of("adam_epsilon", DoubleNode.valueOf(1e-6));
    }

    @Override
    public MethodConfig parse(Options options) {
        return LowRankConfig.parse(options);
    }

    @Override
    public void validate(MethodConfig config, SiteShape site, String where) {
        LowRankConfig.requireLinear(site, "lora-fa", where);
        LowRankConfig lowRank = (LowRankConfig) config;
        lowRank.validate(site, where);
        if (lowRank.scaling(site.name()) == 0) {
            throw new LoricaException.BadInput(where + ": lora_alpha is 0 at " + site.describe()
                    + ", which leaves nothing to train; choose one above 0");
        }
    }

    @Override
    public SiteAdapter adapt(MethodConfig config, Site site, Shared shared, Seed seed) {
        return new FrozenA((Linear) site, (LowRankConfig) config, seed);
    }

    @Override
    public TrainingRule trainingRule(MethodConfig config, Adapter adapter, Seed seed) {
        List<FrozenA> parts =
                adapter.sites().values().stream().map(FrozenA.class::cast).toList();
        return new GradientProjection(parts);
    }
}
