package io.lorica.adapter.arcana;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.MethodInfo;
import io.lorica.adapter.Options;
import java.util.List;

/**
 * Settings of the QLadder.
 *
 * @param queries {@code num_queries}, tokens that each image gets; default 64
 * @param layers {@code layers}, blocks of the ladder; 0, the default, for as many as the encoder has layers
 * @param select {@code select_layer}, the block whose answer is used, below 0 counted from the end; default -2, with
 *     which the last block is neither computed nor trained
 */
record LadderConfig(int queries, int layers, int select) implements MethodConfig {
    static final List<MethodInfo.Key> KEYS = List.of(
            new MethodInfo.Key("num_queries", "64", "tokens that each image gets"),
            new MethodInfo.Key("layers", "0", "blocks of the ladder; 0 for one for each layer of the encoder"),
            new MethodInfo.Key("select_layer", "-2", "the block whose answer is used, below 0 from the end"));

    static LadderConfig parse(Options options) {
        return new LadderConfig(
                options.integer("num_queries", 64, 1, 1 << 16),
                options.integer("layers", 0, 0, 1 << 10),
                options.integer("select_layer", -2, -(1 << 10), 1 << 10));
    }

    /** Blocks on an encoder of so many layers. */
    int blocks(int encoderLayers) {
        return layers == 0 ? encoderLayers : layers;
    }

    /** The block that is used, from 0; outside the ladder where there is none. */
    int selected(int encoderLayers) {
        return select < 0 ? blocks(encoderLayers) + select : select;
    }

    /** What is wrong with these settings on an encoder of so many layers; empty where nothing is. */
    String fault(int encoderLayers) {
        int blocks = blocks(encoderLayers);
        if (blocks > encoderLayers) {
            return "key 'layers' is " + layers + ", but the vision encoder has " + encoderLayers
                    + " layers; say at most as many";
        }
        if (selected(encoderLayers) < 0 || selected(encoderLayers) >= blocks) {
            return "key 'select_layer' is " + select + ", but the ladder has " + blocks + " blocks; say " + -blocks
                    + " to " + (blocks - 1);
        }
        return "";
    }

    @Override
    public void writeTo(ObjectNode json) {
        json.put("num_queries", queries);
        json.put("layers", layers);
        json.put("select_layer", select);
    }
}
