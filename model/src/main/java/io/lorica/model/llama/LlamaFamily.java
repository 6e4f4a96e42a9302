package io.lorica.model.llama;

import io.lorica.model.BaseModel;
import io.lorica.model.ModelConfig;
import io.lorica.model.ModelFamily;
import io.lorica.model.Weights;
import java.util.Set;

/** Reads {@code llama}, {@code mistral} and {@code qwen2} checkpoints. */
public final class LlamaFamily implements ModelFamily {

    @Override
    public Set<String> modelTypes() {
        return Set.of("llama", "mistral", "qwen2");
    }

    @Override
    public BaseModel build(ModelConfig config, Weights weights) {
        return new LlamaModel(config, LlamaConfig.from(config), weights);
    }
}
