package io.lorica.model.llama;

import com.fasterxml.jackson.databind.JsonNode;
import io.lorica.model.ModelConfig;
import io.lorica.tensor.LoricaException;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Sizes of a Llama-architecture model, from {@code config.json}.
 *
 * @param windows sliding attention window of each layer in tokens, 0 for none
 * @param attentionBias whether q, k, v carry a bias (Qwen2: always; Llama: {@code attention_bias})
 * @param outputBias whether o carries one
 */
public record LlamaConfig(
        int hiddenSize,
        int intermediateSize,
        int layers,
        int heads,
        int keyHeads,
        int headDim,
        int vocabSize,
        int maxPositions,
        double rmsNormEps,
        boolean tied,
        boolean attentionBias,
        boolean outputBias,
        boolean mlpBias,
        List<Integer> windows,
        Rotary rotary) {

    static LlamaConfig from(ModelConfig config) {
        int hidden = config.integer("hidden_size");
        int heads = config.integer("num_attention_heads");
        int keyHeads = config.integer("num_key_value_heads", heads);
        if (heads == 0 || keyHeads == 0 || heads % keyHeads != 0) {
            throw new LoricaException.BadInput(config.where() + ": num_attention_heads " + heads
                    + " must be a positive multiple of num_key_value_heads " + keyHeads);
        }
        int headDim = config.integer("head_dim", hidden / heads);
        if (headDim == 0 || headDim % 2 != 0) {
            throw new LoricaException.BadInput(
                    config.where() + ": head_dim " + headDim + " must be even, since its halves are rotated");
        }
        refusePartialRotation(config);
        String activation = config.text("hidden_act", "silu");
        if (!activation.equals("silu")) {
            throw new LoricaException.Unsupported(config.where() + ": hidden_act '" + activation
                    + "' is not supported for this family (only 'silu')");
        }
        boolean qwen = config.modelType().equals("qwen2");
        boolean bias = config.flag("attention_bias", qwen);
        int maxPositions = config.integer("max_position_embeddings", 2048);
        return new LlamaConfig(
                hidden,
                config.integer("intermediate_size"),
                config.integer("num_hidden_layers"),
                heads,
                keyHeads,
                headDim,
                config.integer("vocab_size"),
                maxPositions,
                config.number("rms_norm_eps", 1e-6),
                config.flag("tie_word_embeddings", false),
                bias,
                bias && !qwen,
                config.flag("mlp_bias", false),
                windows(config, qwen),
                Rotary.from(config, headDim, maxPositions));
    }

    /**
     * Mistral's window holds in every layer; Qwen2's, where in use, from layer {@code max_window_layers} on. A list
     * {@code layer_types}, which transformers 5 writes, says it layer by layer and comes first.
     */
    private static List<Integer> windows(ModelConfig config, boolean qwen) {
        int layers = config.integer("num_hidden_layers");
        boolean slides = !config.modelType().equals("llama") && (!qwen || config.flag("use_sliding_window", false));
        int window = slides ? config.integer("sliding_window", 0) : 0;
        JsonNode types = config.json().path("layer_types");
        if (slides && types.isArray()) {
            return listedWindows(config, types, layers, window);
        }
        int first = qwen ? config.integer("max_window_layers", 28) : 0;
        return IntStream.range(0, layers)
                .mapToObj(layer -> layer >= first ? window : 0)
                .toList();
    }

    private static List<Integer> listedWindows(ModelConfig config, JsonNode types, int layers, int window) {
        if (types.size() != layers) {
            throw new LoricaException.BadInput(config.where() + ": layer_types lists " + types.size()
                    + " layers, num_hidden_layers says " + layers);
        }
        return IntStream.range(0, layers)
                .mapToObj(layer -> switch (types.get(layer).asText()) {
                    case "full_attention" -> 0;
                    case "sliding_attention" -> window;
                    default ->
                        throw new LoricaException.Unsupported(config.where() + ": layer_types has " + types.get(layer)
                                + " (known: full_attention, sliding_attention)");
                })
                .toList();
    }

    private static void refusePartialRotation(ModelConfig config) {
        double share = config.object("rope_parameters").orElse(config).number("partial_rotary_factor", 1);
        if (share != 1) {
            throw new LoricaException.Unsupported(config.where() + ": partial_rotary_factor " + share
                    + " is not supported; every coordinate of a head is rotated");
        }
    }
}
