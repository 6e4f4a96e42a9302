package io.lorica.adapter.lisa;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.Options;
import java.util.Collection;
import java.util.List;

/**
 * Settings of LISA.
 *
 * @param activated {@code lisa_activated_layers}: layers that learn at a time; default 2
 * @param interval {@code lisa_interval_steps}: optimizer steps before others are drawn; default 20
 * @param keepState {@code state_policy} {@code "keep"}: layers that fall asleep keep their float32 weights and moments, so
 *     that memory grows towards full training's; {@code "drop"} forgets both; default drop
 * @param embeddings {@code train_embeddings}: embedding, head and last norm learn all the time; default true
 * @param changed {@code changed_layers}: of a finished run, the layers that are in the file
 */
record LisaConfig(int activated, int interval, boolean keepState, boolean embeddings, List<Integer> changed)
        implements MethodConfig {

    LisaConfig {
        changed = List.copyOf(changed);
    }

    static LisaConfig parse(Options options) {
        return new LisaConfig(
                options.integer("lisa_activated_layers", 2, 0, 1 << 16),
                options.integer("lisa_interval_steps", 20, 1, Integer.MAX_VALUE),
                options.choice("state_policy", "drop", List.of("drop", "keep")).equals("keep"),
                options.flag("train_embeddings", true),
                options.integers("changed_layers"));
    }

    LisaConfig withChanged(Collection<Integer> layers) {
        return new LisaConfig(activated, interval, keepState, embeddings, List.copyOf(layers));
    }

    @Override
    public void writeTo(ObjectNode json) {
        json.put("lisa_activated_layers", activated);
        json.put("lisa_interval_steps", interval);
        json.put("state_policy", keepState ? "keep" : "drop");
        json.put("train_embeddings", embeddings);
        ArrayNode layers = json.putArray("changed_layers");
        changed.forEach(layers::add);
    }
}
