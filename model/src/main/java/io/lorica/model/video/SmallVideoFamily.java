package io.lorica.model.video;

import io.lorica.model.BaseModel;
import io.lorica.model.ModelConfig;
import io.lorica.model.ModelFamily;
import io.lorica.model.Weights;
import java.util.Set;

/** Reads {@code small_video}, Lorica's own encoder of films. */
public final class SmallVideoFamily implements ModelFamily {

    @Override
    public Set<String> modelTypes() {
        return Set.of("small_video");
    }

    @Override
    public BaseModel build(ModelConfig config, Weights weights) {
        BaseModel model = new SmallVideoEncoder(config, weights);
        weights.finish(config.where());
        return model;
    }
}
