package io.lorica.model.clip;

import io.lorica.model.Batch;
import io.lorica.model.ImageTextModel;
import io.lorica.model.Linear;
import io.lorica.model.LoadedModel;
import io.lorica.model.ModelConfig;
import io.lorica.model.Parameter;
import io.lorica.model.Pass;
import io.lorica.model.Weights;
import io.lorica.tensor.Scope;
import org.bytedeco.pytorch.Tensor;

/** CLIP (Radford et al., Learning Transferable Visual Models From Natural Language Supervision, 2021). */
final class ClipModel extends LoadedModel implements ImageTextModel {
    private final TextTower text;
    private final VisionTower vision;
    private final Linear visualProjection;
    private final Parameter logitScale;

    /** Builds both towers; the caller finishes {@code weights}. */
    ClipModel(ModelConfig source, Weights weights) {
        super(source, weights);
        logitScale = weights.parameter("logit_scale");
        text = new TextTower(source, weights);
        ModelConfig tower = TowerConfig.object(source, "vision");
        TowerConfig sizes = TowerConfig.from(source, tower, 768);
        vision = new VisionTower(tower, sizes, weights);
        visualProjection = weights.linear("visual_projection", sizes.projection(), sizes.hidden(), false);
    }

    @Override
    public Tensor imageFeatures(Tensor pixels, Pass pass) {
        try (Scope scope = Scope.open()) {
            return scope.keep(visualProjection.forward(vision.pooled(pixels, pass), pass));
        }
    }

    @Override
    public Tensor textFeatures(Batch texts, Pass pass) {
        return text.features(texts, pass);
    }

    @Override
    public Tensor scale() {
        return logitScale.value().exp();
    }

    @Override
    public int vocabularySize() {
        return text.vocabularySize();
    }

    @Override
    public long endToken() {
        return text.endToken();
    }

    @Override
    public int contextLength() {
        return text.contextLength();
    }

    @Override
    public int imageSize() {
        return vision.imageSize();
    }

    @Override
    public int channels() {
        return vision.channels();
    }

    @Override
    public String outputHead() {
        return "";
    }
}
