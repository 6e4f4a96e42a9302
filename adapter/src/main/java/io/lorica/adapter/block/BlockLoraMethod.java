package io.lorica.adapter.block;

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

/**
 * Block-LoRA (Zhou et al., One Head Eight Arms: Block Matrix based Low Rank Adaptation for CLIP-based Few-Shot Learning,
 * 2025): LoRA whose down-projection blocks are all one; see {@link BlockLoraLinear}.
 *
 * <p>No official code exists and the partition is our reading of the abstract; the scale {@code alpha / sqrt(r)}, the
 * dropout and the defaults are those of CLIP-LoRA's code, which the paper extends. That code's choice of encoder and
 * layers is PEFT's {@code target_modules} and {@code layers_to_transform} here.
 */
public final class BlockLoraMethod implements Method {

    @Override
    public MethodInfo info() {
        return new MethodInfo(
                "block-lora",
                "BLOCK_LORA",
                "LoRA in blocks, with one shared block of A",
                "Zhou et al., One Head Eight Arms: Block Matrix based Low Rank Adaptation for CLIP-based Few-Shot"
                        + " Learning, 2025",
                "other form",
                "nothing",
                true,
                false,
                List.of(
                        new MethodInfo.Key("r", "2", "rank"),
                        new MethodInfo.Key("num_blocks", "8", "arms; divides a site's inputs (mode rank: r)"),
                        new MethodInfo.Key("block_mode", "\"input\"", "what is cut: \"input\" or \"rank\""),
                        new MethodInfo.Key("alpha", "1", "the update is scaled by alpha / sqrt(r)"),
                        new MethodInfo.Key("dropout_rate", "0.25", "dropout of the branch's input"),
                        new MethodInfo.Key("init_full_fan_in", "false", "draw the head within 1 / sqrt(in)"),
                        new MethodInfo.Key(
                                "save_as", "\"compact\"", "\"lora\" saves the equal LoRA, which PEFT reads")));
    }

    @Override
    public MethodConfig parse(Options options) {
        return BlockLoraConfig.parse(options);
    }

    @Override
    public void validate(MethodConfig config, SiteShape site, String where) {
        LowRankConfig.requireLinear(site, "block-lora", where);
        ((BlockLoraConfig) config).validate(site, where);
    }

    @Override
    public SiteAdapter adapt(MethodConfig config, Site site, Shared shared, Seed seed) {
        return new BlockLoraLinear((Linear) site, (BlockLoraConfig) config, seed);
    }
}
