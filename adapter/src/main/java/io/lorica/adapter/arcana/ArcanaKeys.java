package io.lorica.adapter.arcana;

import io.lorica.adapter.FileKeys;
import io.lorica.adapter.moe.LayerKeys;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * {@code arcana.layers.3.mlp.up_proj.vision.lora_A.weight}, and for the ladder the official names
 * ({@code vision_tower.vision_tower.LadderAdapters.0.mlp.fc1.weight}). The authors save whole models; the names that their
 * checkpoints have for pairs ({@code model.layers.3.mlp.up_proj.V_Slora_A.weight}) are read too.
 */
record ArcanaKeys(LayerKeys keys) implements FileKeys {
    static final String PREFIX = "arcana.";
    private static final Pattern OFFICIAL =
            Pattern.compile("(?:model\\.)?(layers\\..*)\\.([VL])_Slora_([AB])\\.weight");
    private static final String LADDER = "(" + Ladder.QUERIES + "|" + Pattern.quote(Ladder.BLOCKS) + ".*)";
    private static final Pattern LADDER_STATE = Pattern.compile("base_model\\." + LADDER);
    private static final Pattern LADDER_FILE = Pattern.compile("(?:model\\.)?vision_tower\\.vision_tower\\." + LADDER);

    @Override
    public String toFile(String key) {
        Matcher ladder = LADDER_STATE.matcher(key);
        return ladder.matches() ? "vision_tower.vision_tower." + ladder.group(1) : keys.toFile(key);
    }

    @Override
    public String toState(String key) {
        Matcher ladder = LADDER_FILE.matcher(key);
        if (ladder.matches()) {
            return "base_model." + ladder.group(1);
        }
        Matcher pair = OFFICIAL.matcher(key);
        return keys.toState(
                pair.matches()
                        ? PREFIX + pair.group(1) + (pair.group(2).equals("V") ? ".vision" : ".language") + ".lora_"
                                + pair.group(3) + ".weight"
                        : key);
    }
}
