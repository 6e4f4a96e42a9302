package io.lorica.adapter.mixlora;

import io.lorica.adapter.FileKeys;
import io.lorica.adapter.moe.LayerKeys;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** MoE-PEFT's names, and when reading those of its predecessor, which called the maps w1, w2 and w3. */
record MixLoraKeys(LayerKeys keys) implements FileKeys {
    private static final Pattern OLD_GATE = Pattern.compile("(mixlora\\.layers\\.\\d+\\.)gate\\.weight");
    private static final Pattern OLD_EXPERT =
            Pattern.compile("(mixlora\\.layers\\.\\d+\\.)(experts\\.\\d+\\.)(w[123]_proj)\\.(.*)");
    private static final Map<String, String> MAPS =
            Map.of("w1_proj", "gate_proj", "w2_proj", "down_proj", "w3_proj", "up_proj");

    @Override
    public String toFile(String key) {
        return keys.toFile(key);
    }

    @Override
    public String toState(String key) {
        Matcher gate = OLD_GATE.matcher(key);
        if (gate.matches()) {
            return keys.toState(gate.group(1) + "mlp.moe_gate.weight");
        }
        Matcher expert = OLD_EXPERT.matcher(key);
        return expert.matches()
                ? keys.toState(
                        expert.group(1) + "mlp." + MAPS.get(expert.group(3)) + "." + expert.group(2) + expert.group(4))
                : keys.toState(key);
    }
}
