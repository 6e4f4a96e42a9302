package io.lorica.adapter.adalora;

import io.lorica.adapter.Adapter;
import io.lorica.adapter.Calibration;
import io.lorica.adapter.Method;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.MethodInfo;
import io.lorica.adapter.Options;
import io.lorica.adapter.Shared;
import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.SiteShape;
import io.lorica.adapter.TrainingRule;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.model.BaseModel;
import io.lorica.model.Linear;
import io.lorica.model.Site;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Seed;
import java.util.List;

/**
 * AdaLoRA (Zhang et al., AdaLoRA: Adaptive Budget Allocation for Parameter-Efficient Fine-Tuning, 2023): updates in the
 * form {@code B diag(E) A}, pruned by importance to a budget over the whole model; see {@link AdaLoraLinear} and
 * {@link RankAllocation}. Reads and writes PEFT's files: pruned triplets are cut out, {@code rank_pattern} says which.
 */
public final class AdaLoraMethod implements Method {

    @Override
    public MethodInfo info() {
        return new MethodInfo(
                "adalora",
                "ADALORA",
                "ranks pruned during training to a budget shared by all sites",
                "Zhang et al., AdaLoRA: Adaptive Budget Allocation for Parameter-Efficient Fine-Tuning, 2023",
                "training rule",
                "nothing",
                true,
                true,
                List.of(
                        new MethodInfo.Key("init_r", "12", "rank of every site at the start"),
                        new MethodInfo.Key("target_r", "8", "average rank at the end"),
                        new MethodInfo.Key("tinit", "0", "steps before pruning begins"),
                        new MethodInfo.Key("tfinal", "0", "steps after it has ended"),
                        new MethodInfo.Key("deltaT", "1", "steps between prunings"),
                        new MethodInfo.Key("beta1", "0.85", "averaging of sensitivities"),
                        new MethodInfo.Key("beta2", "0.85", "averaging of their uncertainties"),
                        new MethodInfo.Key("orth_reg_weight", "0.5", "weight of the distance from orthogonal factors"),
                        new MethodInfo.Key("total_step", "0", "steps of the schedule; 0: those of the run"),
                        new MethodInfo.Key("lora_alpha", "8", "the update is scaled by lora_alpha / init_r"),
                        new MethodInfo.Key("lora_dropout", "0.0", "dropout of the branch's input"),
                        new MethodInfo.Key("fan_in_fan_out", "false", "for PEFT: weights are stored [in, out]")));
    }

    @Override
    public MethodConfig parse(Options options) {
        return AdaLoraConfig.parse(options);
    }

    @Override
    public void validate(MethodConfig config, SiteShape site, String where) {
        LowRankConfig.requireLinear(site, "adalora", where);
        int r = ((AdaLoraConfig) config).initR();
        long smaller = Math.min(site.in(), site.out());
        if (r > smaller) {
            throw new LoricaException.BadInput(where + ": init_r " + r + " at " + site.describe()
                    + " is above the smaller side; choose init_r <= " + smaller);
        }
    }

    @Override
    public Shared share(MethodConfig config, BaseModel model, List<Site> sites, Calibration calibration, Seed seed) {
        return new AdaLoraRanks(((AdaLoraConfig) config).totalStep());
    }

    @Override
    public MethodConfig saving(MethodConfig config, Shared shared) {
        AdaLoraConfig ada = (AdaLoraConfig) config;
        AdaLoraRanks ranks = (AdaLoraRanks) shared;
        // A loaded adapter has its pruned triplets cut out already, so that nothing of it looks pruned.
        return ada.finished(Math.max(1, ranks.totalSteps()), ada.kept().isEmpty() ? ranks.pattern() : ada.kept());
    }

    @Override
    public SiteAdapter adapt(MethodConfig config, Site site, Shared shared, Seed seed) {
        AdaLoraLinear part = new AdaLoraLinear((Linear) site, (AdaLoraConfig) config, seed);
        ((AdaLoraRanks) shared).add(part);
        return part;
    }

    @Override
    public TrainingRule trainingRule(MethodConfig config, Adapter adapter, Seed seed) {
        AdaLoraConfig ada = (AdaLoraConfig) config;
        if (!ada.kept().isEmpty()) {
            throw new LoricaException.Unsupported(adapter.config().where()
                    + ": this AdaLoRA adapter was pruned when it was trained, and its budget cannot be shared out again;"
                    + " train a fresh one, or turn it into another method's start by merging it");
        }
        return new RankAllocation(
                ada, (AdaLoraRanks) adapter.shared(), adapter.config().where());
    }
}
