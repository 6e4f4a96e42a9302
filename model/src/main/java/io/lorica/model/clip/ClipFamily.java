package io.lorica.model.clip;

import io.lorica.model.BaseModel;
import io.lorica.model.ModelConfig;
import io.lorica.model.ModelFamily;
import io.lorica.model.Weights;
import java.util.Set;

/** Reads {@code clip} checkpoints of both towers (transformers' {@code CLIPModel}). */
public final class ClipFamily implements ModelFamily {

    @Override
    public Set<String> modelTypes() {
        return Set.of("clip");
    }

    @Override
    public BaseModel build(ModelConfig config, Weights weights) {
        ClipModel model = new ClipModel(config, weights);
        weights.ignore(".*\\.position_ids", "numbers from 0 on, not weights");
        weights.finish(config.where());
        return model;
    }
}
