package io.lorica.model.t5;

import io.lorica.model.BaseModel;
import io.lorica.model.ModelConfig;
import io.lorica.model.ModelFamily;
import io.lorica.model.Weights;
import java.util.Set;

/** Reads {@code t5} checkpoints (transformers' {@code T5ForConditionalGeneration}), versions 1.0 and 1.1. */
public final class T5Family implements ModelFamily {

    @Override
    public Set<String> modelTypes() {
        return Set.of("t5");
    }

    @Override
    public BaseModel build(ModelConfig config, Weights weights) {
        T5Model model = new T5Model(config, T5Config.from(config), weights);
        weights.ignore("(encoder|decoder)\\.embed_tokens\\.weight", "the same as shared.weight");
        weights.ignore(
                "decoder\\.block\\.0\\.layer\\.1\\.EncDecAttention\\.relative_attention_bias\\.weight",
                "attention to the source has no positions");
        weights.finish(config.where());
        return model;
    }
}
