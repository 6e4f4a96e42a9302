package io.lorica.adapter.mos;

import io.lorica.adapter.Calibration;
import io.lorica.adapter.Method;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.MethodInfo;
import io.lorica.adapter.Options;
import io.lorica.adapter.Shared;
import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.SiteShape;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.model.BaseModel;
import io.lorica.model.Linear;
import io.lorica.model.Site;
import io.lorica.tensor.Seed;
import java.util.List;

/**
 * MoS (Wang et al., MoS: Unleashing Parameter Efficiency of Low-Rank Adaptation with Mixture of Shards, 2025): all layers put their
 * LoRA factors together from one pool of shards, by tables of indices drawn once. Nothing is routed and no index is trained.
 *
 * <p>The four differentiations can be turned off one by one: subset selection, pair dissociation, vector sharding
 * ({@code num_chunk_per_vec: 1}) and shard privatization ({@code valid_param_private_r: 0}). The tables come from a seed
 * and are not in the file. The authors' code scales the pool's rows by frozen ones, which is left out.
 */
public final class MosMethod implements Method {

    @Override
    public MethodInfo info() {
        return new MethodInfo(
                "mos",
                "MOS",
                "factors put together from shards of a pool that all layers share",
                "Wang et al., MoS: Unleashing Parameter Efficiency of Low-Rank Adaptation with Mixture of Shards, 2025",
                "other form",
                "nothing",
                true,
                false,
                List.of(
                        new MethodInfo.Key("r", "4", "rank that each site uses"),
                        new MethodInfo.Key("valid_param_lora_r", "2", "vectors in the pool for each layer"),
                        new MethodInfo.Key("valid_param_private_r", "1", "vectors of a site that are its own"),
                        new MethodInfo.Key("num_chunk_per_vec", "4", "shards in a vector"),
                        new MethodInfo.Key("lora_alpha", "16", "the update is scaled by lora_alpha / r"),
                        new MethodInfo.Key("lora_dropout", "0.1", "dropout of the branch's input"),
                        new MethodInfo.Key("subset_selection", "true", "each site draws its own shards"),
                        new MethodInfo.Key("pair_dissociation", "true", "A and B draw apart"),
                        new MethodInfo.Key("mos_seed", "0", "brings the tables of indices back"),
                        new MethodInfo.Key(
                                "save_as", "\"compact\"", "\"lora\" saves the equal LoRA, which PEFT reads")));
    }

    @Override
    public MethodConfig parse(Options options) {
        return MosConfig.parse(options);
    }

    @Override
    public void validate(MethodConfig config, SiteShape site, String where) {
        LowRankConfig.requireLinear(site, "mos", where);
        ((MosConfig) config).validate(site, where);
    }

    @Override
    public void validate(MethodConfig config, List<SiteShape> sites, String where) {
        Method.super.validate(config, sites, where);
        SiteTypes.of(sites, SiteShape::leaf, SiteShape::in, SiteShape::out)
                .forEach((type, members) -> ((MosConfig) config).validate(type, members.size(), where));
    }

    @Override
    public Shared share(MethodConfig config, BaseModel model, List<Site> sites, Calibration calibration, Seed seed) {
        return MosPools.fresh((MosConfig) config, sites, seed);
    }

    @Override
    public SiteAdapter adapt(MethodConfig config, Site site, Shared shared, Seed seed) {
        return MosLinear.of((Linear) site, (MosConfig) config, (MosPools) shared);
    }
}
