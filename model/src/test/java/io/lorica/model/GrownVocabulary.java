package io.lorica.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.DType;
import io.lorica.tensor.TensorSource;
import io.lorica.tensor.Tensors;
import java.util.Map;
import java.util.SequencedSet;
import org.bytedeco.pytorch.Tensor;

/** A checkpoint with a vocabulary large enough for a leak of its embedding to show in resident memory. */
record GrownVocabulary(TensorSource source) implements TensorSource {
    private static final int SIZE = 8192;

    static ModelConfig config(ModelConfig config) {
        ObjectNode json = config.json().deepCopy();
        ObjectNode text = json.get("text_config") instanceof ObjectNode tower ? tower : json;
        text.put("vocab_size", SIZE);
        return new ModelConfig(json, config.where());
    }

    @Override
    public Map<String, String> metadata() {
        return source.metadata();
    }

    @Override
    public SequencedSet<String> names() {
        return source.names();
    }

    @Override
    public TensorInfo info(String name) {
        TensorInfo info = source.info(name);
        return grows(name) ? new TensorInfo("F32", new long[] {SIZE, info.shape()[1]}, 0) : info;
    }

    @Override
    public Tensor read(String name) {
        return grows(name) ? Tensors.ones(DType.F32, info(name).shape()) : source.read(name);
    }

    private static boolean grows(String name) {
        return name.matches(".*(embed_tokens|lm_head|wte|word_embeddings|token_embedding|shared)\\.weight");
    }

    @Override
    public void close() {
        source.close();
    }
}
