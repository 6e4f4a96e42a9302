package io.lorica.adapter.loha;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.Options;
import io.lorica.adapter.lowrank.LycorisConfig;

/**
 * Settings of LoHa, keys and defaults as in PEFT.
 *
 * @param init {@code init_weights}; false starts all four factors random, so that the model changes at once
 */
record LohaConfig(LycorisConfig common, boolean init) implements MethodConfig {

    static LohaConfig parse(Options options) {
        return new LohaConfig(LycorisConfig.parse(options), options.flag("init_weights", true));
    }

    @Override
    public void writeTo(ObjectNode json) {
        common.writeTo(json);
        json.put("init_weights", init);
    }
}
