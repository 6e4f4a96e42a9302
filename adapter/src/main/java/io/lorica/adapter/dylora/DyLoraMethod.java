package io.lorica.adapter.dylora;

import com.fasterxml.jackson.databind.node.ObjectNode;
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
import io.lorica.adapter.lowrank.Pair;
import io.lorica.model.BaseModel;
import io.lorica.model.Linear;
import io.lorica.model.Site;
import io.lorica.tensor.Seed;
import java.util.List;
import java.util.stream.Stream;

/**
 * DyLoRA (Valipour et al., DyLoRA: Parameter-Efficient Tuning of Pre-trained Models using Dynamic Search-Free Low-Rank
 * Adaptation, 2023): each step trains the first {@code b} components, {@code b} drawn anew, so that the components are
 * ordered by importance and every rank from {@code r_min} to R works; see {@link io.lorica.adapter.NestedRanks}.
 *
 * <p>Ranks count components from 1, and {@code s(b) = alpha / b}, which is what the official code's two factors
 * {@code sqrt(R / b)} make of {@code alpha / R}; its own count from 0 lets a rank past the last differ in scale only.
 *
 * <p>Saved whole as LORA of rank R, which PEFT reads so, with DyLoRA's own keys by which it is known again; at a smaller
 * rank in use, as plain LORA of that rank.
 */
public final class DyLoraMethod implements Method {

    @Override
    public MethodInfo info() {
        List<MethodInfo.Key> own = List.of(
                new MethodInfo.Key("r_min", "1", "smallest rank that is trained"),
                new MethodInfo.Key("rank_distribution", "uniform", "uniform, geometric, or a list of weights by rank"),
                new MethodInfo.Key("geometric_p", "0.15", "geometric: how much rarer each next rank is"),
                new MethodInfo.Key("frozen", "false", "train only the last component of the drawn rank"),
                new MethodInfo.Key("granularity", "1", "draw among multiples of it"),
                new MethodInfo.Key("strict_update", "false", "hold untrained components against momentum"));
        return new MethodInfo(
                "dylora",
                "LORA",
                "one run, usable at every rank up to r",
                "Valipour et al., DyLoRA: Dynamic Search-Free Low-Rank Adaptation, 2023",
                "training rule",
                "nothing",
                true,
                true,
                Stream.concat(
                                LowRankConfig.KEYS.stream()
                                        .filter(key -> !key.name().endsWith("_pattern")),
                                own.stream())
                        .toList());
    }

    @Override
    public MethodConfig parse(Options options) {
        return DyLoraConfig.parse(options);
    }

    @Override
    public boolean claims(ObjectNode json) {
        return json.has("rank_distribution") && json.has("r_min");
    }

    @Override
    public void validate(MethodConfig config, SiteShape site, String where) {
        LowRankConfig.requireLinear(site, "dylora", where);
        ((DyLoraConfig) config).lowRank().validate(site, where);
    }

    @Override
    public Shared share(MethodConfig config, BaseModel model, List<Site> sites, Calibration calibration, Seed seed) {
        return new ActiveRank((DyLoraConfig) config);
    }

    @Override
    public MethodConfig saving(MethodConfig config, Shared shared) {
        ActiveRank active = (ActiveRank) shared;
        return active.rank() == active.largest() ? config : ((DyLoraConfig) config).atRank(active.rank());
    }

    @Override
    public SiteAdapter adapt(MethodConfig config, Site site, Shared shared, Seed seed) {
        return new DyLoraLinear((Linear) site, (DyLoraConfig) config, (ActiveRank) shared, seed);
    }

    @Override
    public TrainingRule trainingRule(MethodConfig config, Adapter adapter, Seed seed) {
        List<Pair> pairs = adapter.sites().values().stream()
                .map(part -> ((DyLoraLinear) part).pair())
                .toList();
        return new NestedDropout((DyLoraConfig) config, (ActiveRank) adapter.shared(), pairs, seed);
    }
}
