package io.lorica.adapter.lora;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.DoubleNode;
import io.lorica.adapter.MethodInfo;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * LoRA+ (Hayou et al., 2024): LoRA whose B learns at {@code loraplus_lr_ratio} times the rate of A, since in wide models
 * one rate for both either moves A too much or B too little. The groups are {@link io.lorica.adapter.Trainable.Role}'s, as
 * PEFT's {@code create_loraplus_optimizer} makes them; the ratio is 16 where none is given, which the paper suggests and
 * PEFT leaves open. Saved as plain LORA.
 */
public final class LoraPlusMethod extends LoraVariant {
    private static final double RATIO = 16;
    private static final List<MethodInfo.Key> RATES = List.of(
            new MethodInfo.Key("loraplus_lr_ratio", "16", "learning rate of B and of vectors over that of A"),
            new MethodInfo.Key("loraplus_lr_embedding", "1e-6", "learning rate of embedding factors"));

    public LoraPlusMethod() {
        super(new MethodInfo(
                "lora+",
                "LORA",
                "B learns at a multiple of A's rate",
                "Hayou et al., LoRA+: Efficient Low Rank Adaptation of Large Models, 2024",
                "training rule",
                "nothing",
                true,
                true,
                Stream.concat(LoraMethod.KEYS.stream(), RATES.stream()).toList()));
    }

    @Override
    public Map<String, JsonNode> trainingDefaults() {
        return Map.of("loraplus_lr_ratio", DoubleNode.valueOf(RATIO));
    }
}
