package io.lorica.adapter.lokr;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.BooleanNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.Options;
import io.lorica.adapter.lowrank.LycorisConfig;
import io.lorica.tensor.LoricaException;

/**
 * Settings of LoKr, keys and defaults as in PEFT.
 *
 * @param rescale {@code rank_dropout_scale}: whether the outputs that rank dropout keeps grow; default false
 * @param both {@code decompose_both}: whether the small factor may be a low-rank product too; default false
 * @param factor {@code decompose_factor}: the small factor's side where it divides, -1 for near the square root
 * @param init {@code init_weights}
 */
record LokrConfig(LycorisConfig common, boolean rescale, boolean both, int factor, Init init) implements MethodConfig {

    /** Which factor starts at zero. */
    enum Init {
        /** {@code true}: the small one. */
        SMALL,
        /** {@code "lycoris"}: the large one, as LyCORIS does. */
        LARGE,
        /** {@code false}: none, so that the model changes at once. */
        NONE;

        JsonNode json() {
            return switch (this) {
                case SMALL -> BooleanNode.TRUE;
                case LARGE -> TextNode.valueOf("lycoris");
                case NONE -> BooleanNode.FALSE;
            };
        }
    }

    static LokrConfig parse(Options options) {
        LycorisConfig common = LycorisConfig.parse(options);
        int factor = options.integer("decompose_factor", -1, -1, 1 << 20);
        if (factor == 0) {
            throw new LoricaException.BadInput(options.where()
                    + ": key 'decompose_factor' is 0, but must be -1 (near the square root) or a number from 1");
        }
        JsonNode init = options.take("init_weights").orElse(BooleanNode.TRUE);
        for (Init known : Init.values()) {
            if (known.json().equals(init)) {
                return new LokrConfig(
                        common,
                        options.flag("rank_dropout_scale", false),
                        options.flag("decompose_both", false),
                        factor,
                        known);
            }
        }
        throw options.wrong("init_weights", init, "true, false or \"lycoris\"");
    }

    @Override
    public void writeTo(ObjectNode json) {
        common.writeTo(json);
        json.put("rank_dropout_scale", rescale);
        json.put("decompose_both", both);
        json.put("decompose_factor", factor);
        json.set("init_weights", init.json());
    }
}
