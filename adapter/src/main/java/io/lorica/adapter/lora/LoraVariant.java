package io.lorica.adapter.lora;

import com.fasterxml.jackson.databind.JsonNode;
import io.lorica.adapter.Method;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.MethodInfo;
import io.lorica.adapter.Options;
import io.lorica.adapter.Shared;
import io.lorica.adapter.SiteAdapter;
import io.lorica.adapter.SiteShape;
import io.lorica.model.Site;
import io.lorica.tensor.Seed;
import org.jspecify.annotations.Nullable;

/** A method that computes as LoRA does: with one of its keys fixed, or trained by another rule. Saved as {@code LORA}. */
abstract class LoraVariant implements Method {
    private final LoraMethod lora = new LoraMethod();
    private final MethodInfo info;
    private final @Nullable String key;
    private final @Nullable JsonNode value;

    /** @param key the key that is fixed to {@code value} */
    LoraVariant(String name, String summary, String paper, String kind, String needs, String key, JsonNode value) {
        this.key = key;
        this.value = value;
        info = new MethodInfo(
                name,
                "LORA",
                summary,
                paper,
                kind,
                needs,
                true,
                true,
                LoraMethod.KEYS.stream()
                        .filter(known -> !known.name().equals(key))
                        .toList());
    }

    /** LoRA with all its keys. */
    LoraVariant(MethodInfo info) {
        this.info = info;
        key = null;
        value = null;
    }

    @Override
    public MethodInfo info() {
        return info;
    }

    @Override
    public MethodConfig parse(Options options) {
        if (key != null && value != null) {
            options.preset(key, value, info.name());
        }
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
