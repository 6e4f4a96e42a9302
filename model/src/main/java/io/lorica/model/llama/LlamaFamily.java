package io.lorica.model.llama;

import io.lorica.model.BaseModel;
import io.lorica.model.CausalClassifier;
import io.lorica.model.ModelConfig;
import io.lorica.model.ModelFamily;
import io.lorica.model.RenamedTensors;
import io.lorica.model.Shard;
import io.lorica.model.Weights;
import io.lorica.tensor.TensorSource;
import java.util.SequencedMap;
import java.util.Set;

/** Reads {@code llama}, {@code mistral} and {@code qwen2} checkpoints. */
public final class LlamaFamily implements ModelFamily {

    @Override
    public Set<String> modelTypes() {
        return Set.of("llama", "mistral", "qwen2");
    }

    /** A checkpoint of the bare decoder (transformers' LlamaModel) leaves out the prefix {@code model.}. */
    @Override
    public TensorSource named(ModelConfig config, TensorSource source) {
        return source.names().contains("embed_tokens.weight")
                ? new RenamedTensors(source, name -> name.startsWith("lm_head.") ? name : "model." + name)
                : source;
    }

    @Override
    public BaseModel build(ModelConfig config, Weights weights) {
        return CausalClassifier.where(config.labels(), new LlamaModel(config, LlamaConfig.from(config), weights));
    }

    @Override
    public Shard shard(ModelConfig config, int rank, int ranks) {
        return LlamaShard.of(config, rank, ranks);
    }

    @Override
    public SequencedMap<String, long[]> classificationHead(ModelConfig config, int labels) {
        return CausalClassifier.freshHead(labels, config.integer("hidden_size"));
    }
}
