package io.lorica.model.vit;

import io.lorica.model.BaseModel;
import io.lorica.model.ModelConfig;
import io.lorica.model.ModelFamily;
import io.lorica.model.Weights;
import java.util.Set;

/** Reads {@code vit} checkpoints with a head (transformers' {@code ViTForImageClassification}). */
public final class VitFamily implements ModelFamily {

    @Override
    public Set<String> modelTypes() {
        return Set.of("vit");
    }

    @Override
    public BaseModel build(ModelConfig config, Weights weights) {
        VitModel model = new VitModel(config, VitConfig.from(config), weights);
        weights.ignore("vit\\.pooler\\..*", "the classification head does not use the pooler");
        weights.finish(config.where());
        return model;
    }
}
