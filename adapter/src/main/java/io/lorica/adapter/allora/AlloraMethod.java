package io.lorica.adapter.allora;

import io.lorica.adapter.Adapter;
import io.lorica.adapter.Method;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.MethodInfo;
import io.lorica.adapter.Options;
import io.lorica.adapter.Shared;
import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.SiteShape;
import io.lorica.adapter.TrainingRule;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.model.Linear;
import io.lorica.model.Site;
import io.lorica.tensor.Seed;
import java.util.List;

/**
 * ALLoRA (Huang and Balestriero, ALLoRA: Adaptive Learning Rate Mitigates LoRA Fatal Flaws, 2024): LoRA without dropout
 * and without {@code alpha / r}, whose gradients are scaled by rows; see {@link AlloraLinear}. The abstract says
 * "inversely proportional to the norm"; the paper's formula, taken here, has the root of the norm and {@code 1 / eta^2}
 * under it. Factors are computed from the weights of the moment, where public optimizers that cite the paper compute them
 * once at the start.
 *
 * <p>Saved as plain LORA of scale 1.
 */
public final class AlloraMethod implements Method {

    @Override
    public MethodInfo info() {
        return new MethodInfo(
                "allora",
                "LORA",
                "no dropout, no scale; gradients scaled by the size of each row's update",
                "Huang and Balestriero, ALLoRA: Adaptive Learning Rate Mitigates LoRA Fatal Flaws, 2024",
                "training rule",
                "nothing",
                true,
                true,
                List.of(
                        new MethodInfo.Key("r", "8", "rank; lora_alpha is the same, lora_dropout is 0"),
                        new MethodInfo.Key("eta", "2", "largest factor on a gradient"),
                        new MethodInfo.Key(
                                "allora_rule", "weight_row", "weight_row, constant, none, output or factor_row"),
                        new MethodInfo.Key("apply_to", "gradient", "gradient, or update: AdamW's steps of B"),
                        new MethodInfo.Key("fan_in_fan_out", "false", "for PEFT: weights are stored [in, out]")));
    }

    @Override
    public MethodConfig parse(Options options) {
        return AlloraConfig.parse(options);
    }

    @Override
    public void validate(MethodConfig config, SiteShape site, String where) {
        LowRankConfig.requireLinear(site, "allora", where);
        ((AlloraConfig) config).lowRank().validate(site, where);
    }

    @Override
    public MethodConfig saving(MethodConfig config, Shared shared) {
        return ((AlloraConfig) config).lowRank();
    }

    @Override
    public SiteAdapter adapt(MethodConfig config, Site site, Shared shared, Seed seed) {
        return new AlloraLinear((Linear) site, (AlloraConfig) config, seed);
    }

    @Override
    public TrainingRule trainingRule(MethodConfig config, Adapter adapter, Seed seed) {
        List<AlloraLinear> parts =
                adapter.sites().values().stream().map(AlloraLinear.class::cast).toList();
        return ((AlloraConfig) config).update() ? new RowSteps(parts) : TrainingRule.PLAIN;
    }
}
