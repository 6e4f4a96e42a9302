package io.lorica.adapter.loraga;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.MethodInfo;
import io.lorica.adapter.Options;
import io.lorica.adapter.lowrank.LowRankConfig;
import java.util.Arrays;
import java.util.List;

/**
 * Settings of LoRA-GA, names and values as in the official code.
 *
 * @param gamma {@code stable_gamma}: larger is a smaller start
 * @param batch {@code bsz}: examples of a batch of the gradient pass
 * @param batches {@code iters}: batches of the gradient pass
 * @param clip {@code norm_clip}: shrink a start whose largest change is above the weight's largest entry
 */
record LoraGaConfig(
        LowRankConfig lowRank, Direction direction, Scale scale, double gamma, int batch, int batches, boolean clip)
        implements MethodConfig {

    /** Which of the 2r leading singular vectors go to A, the others to B. */
    enum Direction {
        ArB2r,
        A2rBr,
        ArBr,
        random
    }

    /** How long the factors are. */
    enum Scale {
        stable,
        unit,
        gd,
        weightS
    }

    static final List<MethodInfo.Key> KEYS = List.of(
            new MethodInfo.Key("direction", "ArB2r", "split of the singular vectors: ArB2r, A2rBr, ArBr or random"),
            new MethodInfo.Key("scale", "stable", "length of the factors: stable, unit, gd or weightS"),
            new MethodInfo.Key("stable_gamma", "16", "larger is a smaller start"),
            new MethodInfo.Key("bsz", "2", "examples of a batch of the gradient pass"),
            new MethodInfo.Key("iters", "16", "batches of the gradient pass"),
            new MethodInfo.Key("norm_clip", "false", "shrink a start that is larger than the weight"));

    static LoraGaConfig parse(Options options) {
        boolean rslora = options.flag("use_rslora", true);
        double alpha = options.number("lora_alpha", 16, 0, 1e6);
        LowRankConfig asked = LowRankConfig.parse(options);
        LowRankConfig.takeVariants(options);
        return new LoraGaConfig(
                new LowRankConfig(
                        asked.r(),
                        alpha,
                        asked.dropout(),
                        rslora,
                        asked.rankPattern(),
                        asked.alphaPattern(),
                        asked.fanInFanOut()),
                Direction.valueOf(options.choice("direction", "ArB2r", names(Direction.values()))),
                Scale.valueOf(options.choice("scale", "stable", names(Scale.values()))),
                options.number("stable_gamma", 16, 1e-3, 1e6),
                options.integer("bsz", 2, 1, 1 << 12),
                options.integer("iters", 16, 1, 1 << 16),
                options.flag("norm_clip", false));
    }

    private static List<String> names(Enum<?>[] values) {
        return Arrays.stream(values).map(Enum::name).toList();
    }

    /** Not in any file: a finished adapter is plain LoRA. Written for the identity of a run. */
    @Override
    public void writeTo(ObjectNode json) {
        lowRank.writeTo(json);
        json.put("direction", direction.name());
        json.put("scale", scale.name());
        json.put("stable_gamma", gamma);
        json.put("bsz", batch);
        json.put("iters", batches);
        json.put("norm_clip", clip);
    }
}
