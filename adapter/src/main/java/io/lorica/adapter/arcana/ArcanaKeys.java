package io.lorica.adapter.arcana;

import io.lorica.adapter.FileKeys;
import io.lorica.adapter.moe.LayerKeys;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * {@code arcana.layers.3.mlp.up_proj.vision.lora_A.weight}. The authors save whole models; the names that their checkpoints
 * have ({@code model.layers.3.mlp.up_proj.V_Slora_A.weight}) are read too.
 */
record ArcanaKeys(LayerKeys keys) implements FileKeys {
    static final String PREFIX = "arcana.";
    private static final Pattern OFFICIAL = Pattern.compile("(?:model\\.)?(layers\\..*)\\.([VL])_Slora_([AB])\\.weight");

    @Override
    public String toFile(String key) {
        return keys.toFile(key);
    }

    @Override
    public String toState(String key) {
        Matcher official = OFFICIAL.matcher(key);
        return keys.toState(
                official.matches()
                        ? PREFIX + official.group(1) + (official.group(2).equals("V") ? ".vision" : ".language")
                                + ".lora_" + official.group(3) + ".weight"
                        : key);
    }
}
