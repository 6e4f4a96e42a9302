package io.lorica.model.clip;

import io.lorica.model.LoadedModel;
import io.lorica.model.ModelConfig;
import io.lorica.model.Pass;
import io.lorica.model.VisionEncoder;
import io.lorica.model.Weights;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/** CLIP's image tower alone, for models that look through it (transformers' {@code CLIPVisionModel}). */
final class ClipVisionModel extends LoadedModel implements VisionEncoder {
    private final VisionTower tower;

    /** Builds the tower; the caller finishes {@code weights}. */
    ClipVisionModel(ModelConfig source, Weights weights) {
        super(source, weights);
        tower = new VisionTower(source, TowerConfig.from(source, source, 768), weights);
    }

    @Override
    public List<Tensor> hiddenStates(Tensor pixels, int last, Pass pass) {
        return tower.states(pixels, last, pass);
    }

    @Override
    public int layers() {
        return tower.layers();
    }

    @Override
    public int width() {
        return tower.width();
    }

    @Override
    public int heads() {
        return tower.heads();
    }

    @Override
    public double attentionDropout() {
        return tower.attentionDropout();
    }

    @Override
    public int tokens() {
        return tower.tokens();
    }

    @Override
    public int imageSize() {
        return tower.imageSize();
    }

    @Override
    public int channels() {
        return tower.channels();
    }

    @Override
    public String outputHead() {
        return "";
    }
}
