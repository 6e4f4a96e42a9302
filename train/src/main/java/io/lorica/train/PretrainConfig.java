package io.lorica.train;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.Options;
import io.lorica.model.ModelConfig;
import io.lorica.tensor.LoricaException;
import java.util.LinkedHashMap;
import java.util.SequencedMap;

/**
 * Sizes of a Llama-architecture model that is trained from nothing, spelled as in {@code config.json}. The defaults are
 * those of the built-in {@code lorica-tiny}: 4.7 million parameters.
 */
public record PretrainConfig(
        int vocabSize,
        int hiddenSize,
        int intermediateSize,
        int numHiddenLayers,
        int numAttentionHeads,
        int numKeyValueHeads,
        int maxPositionEmbeddings) {

    /** Takes the sizes out of {@code options}. */
    public static PretrainConfig parse(Options options) {
        PretrainConfig config = new PretrainConfig(
                options.integer("vocab_size", 4096, 260, 1 << 20),
                options.integer("hidden_size", 256, 8, 1 << 16),
                options.integer("intermediate_size", 704, 8, 1 << 18),
                options.integer("num_hidden_layers", 5, 1, 1000),
                options.integer("num_attention_heads", 8, 1, 1024),
                options.integer("num_key_value_heads", 4, 1, 1024),
                options.integer("max_position_embeddings", 512, 16, 1 << 20));
        if (config.hiddenSize % (2 * config.numAttentionHeads) != 0) {
            throw new LoricaException.BadInput(options.where() + ": hidden_size " + config.hiddenSize
                    + " must be a multiple of twice num_attention_heads " + config.numAttentionHeads);
        }
        return config;
    }

    /** The same as Hugging Face writes it. */
    ModelConfig modelConfig(int vocabulary, long bos, long eos, long pad) {
        ObjectNode json = new ObjectMapper().createObjectNode();
        json.putArray("architectures").add("LlamaForCausalLM");
        json.put("model_type", "llama")
                .put("vocab_size", vocabulary)
                .put("hidden_size", hiddenSize)
                .put("intermediate_size", intermediateSize)
                .put("num_hidden_layers", numHiddenLayers)
                .put("num_attention_heads", numAttentionHeads)
                .put("num_key_value_heads", numKeyValueHeads)
                .put("head_dim", hiddenSize / numAttentionHeads)
                .put("max_position_embeddings", maxPositionEmbeddings)
                .put("hidden_act", "silu")
                .put("rms_norm_eps", 1e-5)
                .put("rope_theta", 10000.0)
                .put("tie_word_embeddings", true)
                .put("attention_bias", false)
                .put("mlp_bias", false)
                .put("bos_token_id", bos)
                .put("eos_token_id", eos)
                .put("pad_token_id", pad)
                .put("torch_dtype", "bfloat16");
        return new ModelConfig(json, "config.json");
    }

    /** Every weight of the model with its shape. */
    SequencedMap<String, long[]> shapes(long vocabulary) {
        long keys = (long) hiddenSize / numAttentionHeads * numKeyValueHeads;
        SequencedMap<String, long[]> shapes = new LinkedHashMap<>();
        shapes.put("model.embed_tokens.weight", new long[] {vocabulary, hiddenSize});
        for (int i = 0; i < numHiddenLayers; i++) {
            String layer = "model.layers." + i + ".";
            shapes.put(layer + "input_layernorm.weight", new long[] {hiddenSize});
            shapes.put(layer + "self_attn.q_proj.weight", new long[] {hiddenSize, hiddenSize});
            shapes.put(layer + "self_attn.k_proj.weight", new long[] {keys, hiddenSize});
            shapes.put(layer + "self_attn.v_proj.weight", new long[] {keys, hiddenSize});
            shapes.put(layer + "self_attn.o_proj.weight", new long[] {hiddenSize, hiddenSize});
            shapes.put(layer + "post_attention_layernorm.weight", new long[] {hiddenSize});
            shapes.put(layer + "mlp.gate_proj.weight", new long[] {intermediateSize, hiddenSize});
            shapes.put(layer + "mlp.up_proj.weight", new long[] {intermediateSize, hiddenSize});
            shapes.put(layer + "mlp.down_proj.weight", new long[] {hiddenSize, intermediateSize});
        }
        shapes.put("model.norm.weight", new long[] {hiddenSize});
        return shapes;
    }
}
