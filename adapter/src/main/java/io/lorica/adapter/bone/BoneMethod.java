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
 * Bone (Kang, Bone: Block Affine Transformation as Parameter Efficient Fine-tuning Methods for Large Language Models,
 * 2024, versions 1 to 3): each block of the weight changes by {@code (W_ij + I) M_i}.
 *
 * <p>The name meant this form first and plain sharing later; PEFT knows both as {@code MISS} since 0.19. A fresh adapter of
 * this method has the first form ({@code init_weights: "bat"}) and is saved as {@code MISS}, which PEFT reads. Files of the
 * former type {@code BONE} are read with PEFT's meaning of their keys and saved as they came; so is a fresh adapter
 * with {@code peft_type: BONE}.
 */
public final class BoneMethod implements Method {

    @Override
    public MethodInfo info() {
        return new MethodInfo(
                "bone",
                "BONE",
                "blocks of the weight, multiplied by trained blocks",
                "Kang, Bone: Block Affine Transformation as Parameter Efficient Fine-tuning Methods for Large Language"
                        + " Models, 2024",
                "other form",
                "weights",
                true,
                true,
                List.of(
                        new MethodInfo.Key("r", "64", "size of a block; divides both sides of every site"),
                        new MethodInfo.Key(
                                "init_weights", "\"bat\"", "\"bat\", true: plain sharing, or false: random")));
    }

    @Override
    public MethodConfig parse(Options options) {
        return BoneConfig.bone(options);
    }

    @Override
    public void validate(MethodConfig config, SiteShape site, String where) {
        LowRankConfig.requireLinear(site, info().name(), where);
        ((BoneConfig) config).validate(site, where);
    }

    @Override
    public Optional<String> ownBiases() {
        return Optional.of("bone_only");
    }

    @Override
    public SiteAdapter adapt(MethodConfig config, Site site, Shared shared, Seed seed) {
        return MissMethod.blocks((Linear) site, (BoneConfig) config, seed);
    }
}
