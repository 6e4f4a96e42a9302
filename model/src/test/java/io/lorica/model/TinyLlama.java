package io.lorica.model;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.DType;
import io.lorica.tensor.TensorSource;
import io.lorica.tensor.Tensors;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Random;
import java.util.SequencedMap;
import java.util.SequencedSet;
import org.bytedeco.pytorch.Tensor;

/** A Llama of two small layers with random weights, large enough that its answers differ from token to token. */
final class TinyLlama implements TensorSource {
    private static final int HIDDEN = 16;
    private final SequencedMap<String, long[]> shapes = new LinkedHashMap<>();

    private TinyLlama(int vocabulary) {
        shapes.put("model.embed_tokens.weight", new long[] {vocabulary, HIDDEN});
        for (int i = 0; i < 2; i++) {
            String layer = "model.layers." + i + ".";
            for (String projection : new String[] {"q_proj", "k_proj", "v_proj", "o_proj"}) {
                shapes.put(layer + "self_attn." + projection + ".weight", new long[] {HIDDEN, HIDDEN});
            }
            shapes.put(layer + "mlp.gate_proj.weight", new long[] {2 * HIDDEN, HIDDEN});
            shapes.put(layer + "mlp.up_proj.weight", new long[] {2 * HIDDEN, HIDDEN});
            shapes.put(layer + "mlp.down_proj.weight", new long[] {HIDDEN, 2 * HIDDEN});
            shapes.put(layer + "input_layernorm.weight", new long[] {HIDDEN});
            shapes.put(layer + "post_attention_layernorm.weight", new long[] {HIDDEN});
        }
        shapes.put("model.norm.weight", new long[] {HIDDEN});
        shapes.put("lm_head.weight", new long[] {vocabulary, HIDDEN});
    }

    static CausalModel model(int vocabulary, int context) {
        ObjectNode config = new ObjectMapper()
                .createObjectNode()
                .put("model_type", "llama")
                .put("hidden_size", HIDDEN)
                .put("intermediate_size", 2 * HIDDEN)
                .put("num_hidden_layers", 2)
                .put("num_attention_heads", 2)
                .put("vocab_size", vocabulary)
                .put("max_position_embeddings", context);
        return (CausalModel) ModelLoader.load(new TinyLlama(vocabulary), new ModelConfig(config, "tiny"), DType.F32);
    }

    @Override
    public Map<String, String> metadata() {
        return Map.of();
    }

    @Override
    public SequencedSet<String> names() {
        return new LinkedHashSet<>(shapes.sequencedKeySet());
    }

    @Override
    public TensorInfo info(String name) {
        long[] shape = shape(name);
        return new TensorInfo("F32", shape, 4 * Arrays.stream(shape).reduce(1, (a, b) -> a * b));
    }

    @Override
    public Tensor read(String name) {
        Random random = new Random(name.hashCode());
        long[] shape = shape(name);
        float[] values = new float[(int) (info(name).bytes() / 4)];
        for (int i = 0; i < values.length; i++) {
            values[i] = (shape.length == 1 ? 1 : 0) + 0.5f * (float) random.nextGaussian();
        }
        return Tensors.of(values, shape);
    }

    private long[] shape(String name) {
        long[] shape = shapes.get(name);
        if (shape == null) {
            throw new IllegalArgumentException(name);
        }
        return shape;
    }

    @Override
    public void close() {}
}
