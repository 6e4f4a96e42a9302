package io.lorica.model.whisper;

import io.lorica.model.BaseModel;
import io.lorica.model.ModelConfig;
import io.lorica.model.ModelFamily;
import io.lorica.model.RenamedTensors;
import io.lorica.model.Weights;
import io.lorica.tensor.TensorSource;
import java.util.Set;

/**
 * Reads the encoder of {@code whisper} checkpoints, as transformers' {@code WhisperForConditionalGeneration} and
 * {@code WhisperModel} save them. The decoder stays in the file.
 */
public final class WhisperFamily implements ModelFamily {

    @Override
    public Set<String> modelTypes() {
        return Set.of("whisper");
    }

    @Override
    public TensorSource named(ModelConfig config, TensorSource source) {
        return new RenamedTensors(
                source, name -> name.startsWith("encoder.") || name.startsWith("decoder.") ? "model." + name : name);
    }

    @Override
    public BaseModel build(ModelConfig config, Weights weights) {
        BaseModel model = new WhisperEncoder(config, weights);
        weights.ignore("model\\.decoder\\..*|proj_out\\.weight", "the decoder, which the encoder does without");
        weights.finish(config.where());
        return model;
    }
}
