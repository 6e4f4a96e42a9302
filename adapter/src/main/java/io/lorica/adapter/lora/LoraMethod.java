package io.lorica.adapter.lora;

import io.lorica.adapter.Method;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.MethodInfo;
import io.lorica.adapter.Options;
import io.lorica.adapter.Shared;
import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.SiteShape;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.model.Embedding;
import io.lorica.model.Linear;
import io.lorica.model.Site;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Seed;
import java.util.List;
import java.util.stream.Stream;

/**
 * LoRA (Hu et al., 2021): {@code y = W x + b + s B A dropout(x)} with {@code s = alpha / r}; reads every adapter that
 * PEFT saves as {@code LORA}, its variants included.
 */
public final class LoraMethod implements Method {
    static final List<MethodInfo.Key> KEYS = Stream.concat(
                    LowRankConfig.KEYS.stream(),
                    Stream.of(
                            new MethodInfo.Key("use_dora", "false", "learn row norms apart from directions"),
                            new MethodInfo.Key(
                                    "init_lora_weights", "true", "true, false, gaussian, olora or orthogonal"),
                            new MethodInfo.Key("lora_bias", "false", "B has a bias")))
            .toList();

    @Override
    public MethodInfo info() {
        return new MethodInfo(
                "lora",
                "LORA",
                "a low-rank update B A beside each frozen weight",
                "Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, 2021",
                "low-rank",
                "nothing",
                true,
                true,
                KEYS);
    }

    @Override
    public MethodConfig parse(Options options) {
        return LoraConfig.parse(options);
    }

    @Override
    public void validate(MethodConfig config, SiteShape site, String where) {
        LoraConfig lora = (LoraConfig) config;
        if (lora.init() != LoraConfig.Init.FILE) {
            // A finished adapter may have more: [B, -B0] [A; A0] of a start taken off the base has twice the rank.
            lora.lowRank().validate(site, where);
        }
        int r = lora.lowRank().rank(site.name());
        if (lora.init() == LoraConfig.Init.ORTHOGONAL && r % 2 != 0) {
            throw new LoricaException.BadInput(where + ": rank " + r + " at " + site.describe()
                    + " is odd, but init_lora_weights \"orthogonal\" needs an even one");
        }
        if (lora.bias() && (site.embedding() || !site.bias())) {
            throw new LoricaException.BadInput(where + ": key 'lora_bias' is true, but " + site.describe()
                    + " has no bias to go with; set it to false, or leave the site out");
        }
        if (site.embedding() && lora.dora()) {
            throw new LoricaException.Unsupported(where + ": key 'use_dora' is true, which Lorica does on linear maps "
                    + "only, and " + site.name() + " is an embedding; leave it out of target_modules");
        }
    }

    @Override
    public MethodConfig loading(MethodConfig config, String where) {
        LoraConfig lora = (LoraConfig) config;
        // OLoRA's factors count from a residual that must be made again; the others are whole in the file.
        return lora.init() == LoraConfig.Init.OLORA ? lora : lora.withInit(LoraConfig.Init.FILE);
    }

    /** OLoRA is saved as plain LoRA of twice the rank, right on the unchanged base. */
    @Override
    public MethodConfig saving(MethodConfig config, Shared shared) {
        LoraConfig lora = (LoraConfig) config;
        return lora.init() == LoraConfig.Init.OLORA
                ? new LoraConfig(lora.lowRank().widened(), lora.dora(), LoraConfig.Init.DEFAULT, lora.bias())
                : lora;
    }

    @Override
    public SiteAdapter adapt(MethodConfig config, Site site, Shared shared, Seed seed) {
        LoraConfig lora = (LoraConfig) config;
        if (lora.init() == LoraConfig.Init.EVA) {
            throw new LoricaException.Unsupported(
                    "init_lora_weights \"eva\" is a method of its own here; choose method 'eva' and leave out use_dora and"
                            + " lora_bias (only finished adapters with those are read)");
        }
        return switch (site) {
            case Linear linear -> LoraLinear.fresh(linear, lora, seed);
            case Embedding embedding -> LoraEmbedding.fresh(embedding, lora, seed);
        };
    }
}
