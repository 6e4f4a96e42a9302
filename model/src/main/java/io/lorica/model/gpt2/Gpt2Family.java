package io.lorica.model.gpt2;

import io.lorica.model.BaseModel;
import io.lorica.model.CausalClassifier;
import io.lorica.model.ModelConfig;
import io.lorica.model.ModelFamily;
import io.lorica.model.RenamedTensors;
import io.lorica.model.Weights;
import io.lorica.tensor.TensorSource;
import java.util.SequencedMap;
import java.util.Set;

/** Reads {@code gpt2} checkpoints. */
public final class Gpt2Family implements ModelFamily {

    @Override
    public Set<String> modelTypes() {
        return Set.of("gpt2");
    }

    /** The published checkpoints are of the bare decoder and leave out the prefix {@code transformer.}. */
    @Override
    public TensorSource named(ModelConfig config, TensorSource source) {
        return source.names().contains("wte.weight")
                ? new RenamedTensors(source, name -> name.startsWith("lm_head.") ? name : "transformer." + name)
                : source;
    }

    @Override
    public BaseModel build(ModelConfig config, Weights weights) {
        return CausalClassifier.where(config.labels(), new Gpt2Model(config, Gpt2Config.from(config), weights));
    }

    @Override
    public SequencedMap<String, long[]> classificationHead(ModelConfig config, int labels) {
        return CausalClassifier.freshHead(labels, config.integer("n_embd", 768));
    }
}
