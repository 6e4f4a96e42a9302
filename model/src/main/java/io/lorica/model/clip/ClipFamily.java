package io.lorica.model.clip;

import io.lorica.model.BaseModel;
import io.lorica.model.ModelConfig;
import io.lorica.model.ModelFamily;
import io.lorica.model.Weights;
import java.util.Set;

/**
 * Reads {@code clip} checkpoints of both towers (transformers' {@code CLIPModel}), and the image tower alone as a part of
 * other models ({@code clip_vision_model}).
 */
public final class ClipFamily implements ModelFamily {

    private static final String IMAGES = "clip_vision_model";

    @Override
    public Set<String> modelTypes() {
        return Set.of("clip", IMAGES);
    }

    @Override
    public BaseModel build(ModelConfig config, Weights weights) {
        BaseModel model = config.modelType().equals(IMAGES)
                ? new ClipVisionModel(config, weights)
                : new ClipModel(config, weights);
        weights.ignore(".*\\.position_ids", "numbers from 0 on, not weights");
        weights.finish(config.where());
        return model;
    }
}
