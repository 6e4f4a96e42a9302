package io.lorica.adapter.lora;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.DoubleNode;
import io.lorica.adapter.Method;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.MethodInfo;
import io.lorica.adapter.Options;
import io.lorica.adapter.Shared;
import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.SiteShape;
import io.lorica.model.Site;
import io.lorica.tensor.Seed;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * LoRA+ (Hayou et al., 2024): LoRA whose B learns at {@code loraplus_lr_ratio} times the rate of A, since
 * in wide models one rate for both either moves A too much or B too little. The groups are {@link io.lorica.adapter.Trainable.Role}'s, as PEFT's {@code create_loraplus_optimizer} makes
 * them; the ratio is 16 where none is given, which the paper suggests and PEFT leaves open. Saved as plain LORA.
 */
public final class LoraPlusMethod implements Method {
    private static final double RATIO = 16;

    private final LoraMethod lora = new LoraMethod();

    @Override
    public MethodInfo info() {
        List<MethodInfo.Key> rates = List.of(
                new MethodInfo.Key("loraplus_lr_ratio", "16", "learning rate of B and of vectors over that of A"),
                new MethodInfo.Key("loraplus_lr_embedding", "1e-6", "learning rate of embedding factors"));
        return new MethodInfo(
                "lora+",
                "LORA",
                "B learns at a multiple of A's rate",
                "Hayou et al., LoRA+: Efficient Low Rank Adaptation of Large Models, 2024",
                "training rule",
                "nothing",
                true,
                true,
                Stream.concat(LoraMethod.KEYS.stream(), rates.stream()).toList());
    }

    @Override
    public Map<String, JsonNode> trainingDefaults() {
        return Map.of("loraplus_lr_ratio", DoubleNode.valueOf(RATIO));
    }

    @Override
    public MethodConfig parse(Options options) {
        return lora.parse(options);
    }

    @Override
    public void validate(MethodConfig config, SiteShape site, String where) {
        lora.validate(config, site, where);
    }

    @Override
    public MethodConfig loading(MethodConfig config, String where) {
        return lora.loading(config, where);
    }

    @Override
    public MethodConfig saving(MethodConfig config, Shared shared) {
        return lora.saving(config, shared);
    }

    @Override
    public SiteAdapter adapt(MethodConfig config, Site site, Shared shared, Seed seed) {
        return lora.adapt(config, site, shared, seed);
    }
}
