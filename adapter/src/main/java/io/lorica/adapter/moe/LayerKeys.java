package io.lorica.adapter.moe;

import io.lorica.adapter.FileKeys;
import io.lorica.model.BaseModel;
import java.util.SequencedMap;

/**
 * Names that start at the list of layers: {@code mixlora.layers.3.mlp...} for {@code base_model.model.model.layers.3.mlp...}.
 *
 * @param own what stands before {@code layers.} in the state
 * @param file the same in the file
 */
public record LayerKeys(String own, String file) implements FileKeys {

    /** @param prefix in the file, with its dot */
    public static LayerKeys of(BaseModel model, String prefix) {
        return new LayerKeys("base_model.model." + stem(model), prefix);
    }

    /** What stands before {@code layers.} in the names of a model's feed-forward blocks; empty where there are none. */
    public static String stem(BaseModel model) {
        SequencedMap<String, ?> blocks = model.feedForwards();
        return blocks.isEmpty() ? "" : blocks.firstEntry().getKey().replaceFirst("layers\\..*$", "");
    }

    @Override
    public String toFile(String key) {
        return swap(key, own, file);
    }

    @Override
    public String toState(String key) {
        return swap(key, file, own);
    }

    private static String swap(String key, String from, String to) {
        return key.startsWith(from + "layers.") ? to + key.substring(from.length()) : key;
    }
}
