package io.lorica.adapter.lorasb;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.MethodInfo;
import io.lorica.adapter.Options;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.tensor.LoricaException;
import java.util.LinkedHashMap;
import java.util.List;

/**
 * Settings of LoRA-SB.
 *
 * @param lowRank with alpha as large as the rank, since the scaling must be 1
 * @param samples {@code num_samples}: examples of the estimate
 * @param batch {@code eg_bs}: examples of one of its batches
 * @param rate {@code init_lr}: length of the first update
 * @param sign {@code use_sign}: the update as AdamW's first step would be; false: as SGD's
 */
record LoraSbConfig(LowRankConfig lowRank, int samples, int batch, double rate, boolean sign) implements MethodConfig {

    static final List<MethodInfo.Key> KEYS = List.of(
            new MethodInfo.Key("num_samples", "50", "examples of the estimate"),
            new MethodInfo.Key("eg_bs", "2", "examples of one of its batches"),
            new MethodInfo.Key("init_lr", "1e-04", "length of the first update: the learning rate of the first step"),
            new MethodInfo.Key("use_sign", "true", "the update as of AdamW; false: as of SGD"));

    static LoraSbConfig parse(Options options) {
        int r = options.integer("r", 8, 1, 1 << 16);
        double alpha = options.number("lora_alpha", r, 0, 1e6);
        boolean rslora = options.flag("use_rslora", false);
        if (alpha != r || rslora || options.take("alpha_pattern").isPresent()) {
            throw new LoricaException.BadInput(options.where() + ": key 'lora_alpha' is " + alpha
                    + " with rank " + r + (rslora ? " and use_rslora" : "") + ", but LoRA-SB is right with a scaling of"
                    + " 1 only; leave out lora_alpha, alpha_pattern and use_rslora");
        }
        LowRankConfig asked = LowRankConfig.parse(options);
        LowRankConfig.takeVariants(options);
        return new LoraSbConfig(
                // Each rank is its own alpha.
                new LowRankConfig(
                        r,
                        r,
                        asked.dropout(),
                        false,
                        asked.rankPattern(),
                        new LinkedHashMap<>(asked.rankPattern()),
                        asked.fanInFanOut()),
                options.integer("num_samples", 50, 1, 1 << 20),
                options.integer("eg_bs", 2, 1, 1 << 12),
                options.number("init_lr", 1e-4, 1e-12, 10),
                options.flag("use_sign", true));
    }

    /** Batches of the estimate; the last is whole where the samples do not divide. */
    int batches() {
        return (samples + batch - 1) / batch;
    }

    /** Not in any file: a finished adapter is plain LoRA. Written for the identity of a run. */
    @Override
    public void writeTo(ObjectNode json) {
        lowRank.writeTo(json);
        json.put("num_samples", samples);
        json.put("eg_bs", batch);
        json.put("init_lr", rate);
        json.put("use_sign", sign);
    }
}
