package io.lorica.adapter.vera;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.Options;

/**
 * Settings of VeRA, keys and defaults as in PEFT.
 *
 * @param r rows of the shared projection, from 1; default 256. It may exceed the sizes of a site, as in the paper
 * @param projectionKey {@code projection_prng_key}: seed of the shared projection; default 0
 * @param saveProjection {@code save_projection}: whether the projection is in the file; default true
 * @param dropout {@code vera_dropout} of the branch's input, from 0 to below 1; default 0
 * @param dInitial {@code d_initial}: where {@code d} starts; default 0.1
 * @param fanInFanOut written for PEFT; a site knows by itself how its weight is stored, and so does PEFT
 * @param init {@code init_weights}; false starts {@code d} normal and {@code b} at 1, so that the model changes at once
 */
public record VeraConfig(
        int r,
        int projectionKey,
        boolean saveProjection,
        double dropout,
        double dInitial,
        boolean fanInFanOut,
        boolean init)
        implements MethodConfig {

    static VeraConfig parse(Options options) {
        return new VeraConfig(
                options.integer("r", 256, 1, 1 << 16),
                options.integer("projection_prng_key", 0, 0, Integer.MAX_VALUE),
                options.flag("save_projection", true),
                options.number("vera_dropout", 0, 0, 0.999),
                options.number("d_initial", 0.1, -1e6, 1e6),
                options.flag("fan_in_fan_out", false),
                options.flag("init_weights", true));
    }

    @Override
    public void writeTo(ObjectNode json) {
        json.put("r", r);
        json.put("projection_prng_key", projectionKey);
        json.put("save_projection", saveProjection);
        json.put("vera_dropout", dropout);
        json.put("d_initial", dInitial);
        json.put("fan_in_fan_out", fanInFanOut);
        json.put("init_weights", init);
    }
}
