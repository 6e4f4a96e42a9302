package io.lorica.adapter.llavamole;

import io.lorica.adapter.FileKeys;
import io.lorica.adapter.moe.LayerKeys;
import java.util.regex.Pattern;

/** {@code llava_mole.layers.3.mlp.moe_gate.0.lora_A}: the authors' ends of names, where they have no {@code .weight}. */
record LlavaMoleKeys(LayerKeys keys) implements FileKeys {
    private static final Pattern STATE =
            Pattern.compile("(.*\\.mlp\\.)(gate|up|down)_proj\\.experts\\.(\\d+)\\.(lora_[AB])\\.weight");
    private static final Pattern FILE = Pattern.compile("(.*\\.mlp\\.)moe_(gate|up|down)\\.(\\d+)\\.(lora_[AB])");

    @Override
    public String toFile(String key) {
        return STATE.matcher(keys.toFile(key)).replaceFirst("$1moe_$2.$3.$4");
    }

    @Override
    public String toState(String key) {
        return keys.toState(FILE.matcher(key).replaceFirst("$1$2_proj.experts.$3.$4.weight"));
    }
}
