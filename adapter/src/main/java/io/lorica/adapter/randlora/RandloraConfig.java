package io.lorica.adapter.randlora;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.Options;
import java.util.List;

/**
 * Settings of RandLoRA, keys and defaults as in PEFT.
 *
 * @param r rank of one basis, from 1 to the smaller side of a site; default 32. A smaller r trains more numbers
 * @param alpha {@code randlora_alpha}: the update is scaled by {@code alpha / r}; default 640
 * @param dropout {@code randlora_dropout} of the branch's input, from 0 to below 1; default 0
 * @param projectionKey {@code projection_prng_key}: seed of the bases; default 0
 * @param saveProjection {@code save_projection}: whether the bases are in the file; default true
 * @param sparse bases of -1, 0 and 1 with probabilities 1/6, 2/3, 1/6
 * @param verySparse the same with {@code 1 / (2 sqrt d)} for -1 and 1; stands before {@code sparse}
 * @param fanInFanOut written for PEFT; a site knows by itself how its weight is stored, and so does PEFT
 * @param init {@code init_weights}; false starts at random, so that the model changes at once
 * @param official {@code randlora_scaling: "official"}, not a key of PEFT: scales by {@code alpha / (r sqrt n)} with n
 *     bases, as the authors' code for language models does. When saved it goes into lambda, and PEFT's scaling is written
 */
record RandloraConfig(
        int r,
        int alpha,
        double dropout,
        int projectionKey,
        boolean saveProjection,
        boolean sparse,
        boolean verySparse,
        boolean fanInFanOut,
        boolean init,
        boolean official)
        implements MethodConfig {

    static RandloraConfig parse(Options options) {
        return new RandloraConfig(
                options.integer("r", 32, 1, 1 << 16),
                options.integer("randlora_alpha", 640, 0, 1 << 24),
                options.number("randlora_dropout", 0, 0, 0.999),
                options.integer("projection_prng_key", 0, 0, Integer.MAX_VALUE),
                options.flag("save_projection", true),
                options.flag("sparse", false),
                options.flag("very_sparse", false),
                options.flag("fan_in_fan_out", false),
                options.flag("init_weights", true),
                options.choice("randlora_scaling", "peft", List.of("peft", "official"))
                        .equals("official"));
    }

    /** How many bases a site has: so many that their ranks add up to its smaller side. */
    long bases(long in, long out) {
        return Math.ceilDiv(Math.min(in, out), r);
    }

    double scaling(long bases) {
        return (double) alpha / r / (official ? Math.sqrt((double) bases) : 1);
    }

    RandloraConfig withPeftScaling() {
        return new RandloraConfig(
                r, alpha, dropout, projectionKey, saveProjection, sparse, verySparse, fanInFanOut, init, false);
    }

    @Override
    public void writeTo(ObjectNode json) {
        json.put("r", r);
        json.put("randlora_alpha", alpha);
        json.put("randlora_dropout", dropout);
        json.put("projection_prng_key", projectionKey);
        json.put("save_projection", saveProjection);
        json.put("sparse", sparse);
        json.put("very_sparse", verySparse);
        json.put("fan_in_fan_out", fanInFanOut);
        json.put("init_weights", init);
        if (official) {
            json.put("randlora_scaling", "official");
        }
    }
}
