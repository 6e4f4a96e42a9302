package io.lorica.model.mtsk;

import io.lorica.model.BaseModel;
import io.lorica.model.ModelConfig;
import io.lorica.model.ModelFamily;
import io.lorica.model.Weights;
import java.util.Set;

/** Reads {@code llama_mtsk}: encoders, projectors and a language model in one directory, projectors named as officially. */
public final class MtskFamily implements ModelFamily {

    @Override
    public Set<String> modelTypes() {
        return Set.of("llama_mtsk");
    }

    @Override
    public BaseModel build(ModelConfig config, Weights weights) {
        return new MtskModel(config, weights);
    }
}
