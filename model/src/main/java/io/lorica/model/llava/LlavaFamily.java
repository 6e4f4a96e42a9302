package io.lorica.model.llava;

import io.lorica.model.BaseModel;
import io.lorica.model.ModelConfig;
import io.lorica.model.ModelFamily;
import io.lorica.model.RenamedTensors;
import io.lorica.model.Weights;
import io.lorica.tensor.TensorSource;
import java.util.Set;

/** Reads {@code llava} checkpoints (transformers' {@code LlavaForConditionalGeneration}). */
public final class LlavaFamily implements ModelFamily {

    @Override
    public Set<String> modelTypes() {
        return Set.of("llava");
    }

    @Override
    public TensorSource named(ModelConfig config, TensorSource source) {
        return new RenamedTensors(source, LlavaNames::canonical);
    }

    @Override
    public BaseModel build(ModelConfig config, Weights weights) {
        weights.ignore(".*\\.position_ids", "numbers from 0 on, not weights");
        return new LlavaModel(config, weights);
    }
}
