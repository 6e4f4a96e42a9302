package io.lorica.adapter.bone;

import io.lorica.adapter.Method;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.MethodInfo;
import io.lorica.adapter.Options;
import io.lorica.adapter.Shared;
import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.SiteShape;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.model.Linear;
import io.lorica.model.Site;
import io.lorica.tensor.Seed;
import java.util.List;
import java.util.Optional;

/**
 * MiSS (Kang and Yin, MiSS: Revisiting the Trade-off in LoRA with an Efficient Shard-Sharing Structure, 2026), Bone's later
 * form: one block of {@code r x out} is added to every chunk of r input columns, {@code y = W x + b + S(dropout(x)) M}
 * with S the sum over chunks.
 */
public final class MissMethod implements Method {

    @Override
    public MethodInfo info() {
        return new MethodInfo(
                "miss",
                "MISS",
                "one block of rows, shared by all chunks of the input",
                "Kang and Yin, MiSS: Revisiting the Trade-off in LoRA with an Efficient Shard-Sharing Structure, 2026",
                "other form",
                "nothing",
                true,
                true,
                List.of(
                        new MethodInfo.Key("r", "64", "size of a chunk, and rank of the update"),
                        new MethodInfo.Key("init_weights", "true", "true, \"mini\", \"bat\", or false: random"),
                        new MethodInfo.Key("mini_r", "1", "for \"mini\": outputs after which the block repeats"),
                        new MethodInfo.Key("miss_dropout", "0.0", "dropout of the branch's input; not for \"bat\"")));
    }

    @Override
    public MethodConfig parse(Options options) {
        return BoneConfig.miss(options);
    }

    @Override
    public void validate(MethodConfig config, SiteShape site, String where) {
        LowRankConfig.requireLinear(site, info().name(), where);
        ((BoneConfig) config).validate(site, where);
    }

    @Override
    public Optional<String> ownBiases() {
        return Optional.of("MiSS_only");
    }

    @Override
    public SiteAdapter adapt(MethodConfig config, Site site, Shared shared, Seed seed) {
        return blocks((Linear) site, (BoneConfig) config, seed);
    }

    static SiteAdapter blocks(Linear site, BoneConfig config, Seed seed) {
        return config.form() == BoneConfig.Form.BAT
                ? new GuidedBlocks(site, config)
                : new SharedBlock(site, config, seed);
    }
}
