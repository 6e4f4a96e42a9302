package io.lorica.model.llava;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.model.Activation;
import io.lorica.model.ModelConfig;
import io.lorica.tensor.LoricaException;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;

/**
 * What joins the two models, from {@code config.json} of transformers' {@code LlavaForConditionalGeneration}.
 *
 * @param imageToken id of the placeholder
 * @param layers which hidden states of the vision encoder are read, counted from 0 or, below it, from the end
 * @param classToken whether the class token is read with the patches ({@code vision_feature_select_strategy: full})
 * @param activation between the projector's two maps
 * @param bias whether they carry one
 */
record LlavaConfig(int imageToken, List<Integer> layers, boolean classToken, Activation activation, boolean bias) {

    /** transformers' LlamaConfig, of which public LLaVA configurations write only what differs. */
    private static final Map<String, Integer> LLAMA_DEFAULTS = new TreeMap<>(Map.of(
            "hidden_size", 4096,
            "intermediate_size", 11008,
            "num_hidden_layers", 32,
            "num_attention_heads", 32,
            "vocab_size", 32000));

    static LlavaConfig from(ModelConfig config) {
        String strategy = config.text("vision_feature_select_strategy", "default");
        if (!strategy.equals("default") && !strategy.equals("full")) {
            throw new LoricaException.Unsupported(config.where() + ": vision_feature_select_strategy '" + strategy
                    + "' is not supported (known: default, full)");
        }
        return new LlavaConfig(
                config.integer("image_token_index", 32000),
                layers(config),
                strategy.equals("full"),
                Activation.of(config, "projector_hidden_act", Activation.GELU),
                config.flag("multimodal_projector_bias", true));
    }

    /** One number or a list of them; the default is the state before the last layer. */
    private static List<Integer> layers(ModelConfig config) {
        if (!config.has("vision_feature_layer")) {
            return List.of(-2);
        }
        JsonNode node = config.json().get("vision_feature_layer");
        List<JsonNode> all = node.isArray()
                ? IntStream.range(0, node.size()).mapToObj(node::get).toList()
                : List.of(node);
        if (all.isEmpty() || !all.stream().allMatch(JsonNode::isInt)) {
            throw new LoricaException.BadInput(config.where() + ": key 'vision_feature_layer' is " + node
                    + ", but must be a whole number or a list of them");
        }
        return all.stream().map(JsonNode::intValue).toList();
    }

    /** The states by number from 0, of an encoder with so many layers. */
    List<Integer> states(int encoderLayers, String where) {
        return layers.stream()
                .map(layer -> {
                    int state = layer < 0 ? encoderLayers + 1 + layer : layer;
                    if (state < 0 || state > encoderLayers) {
                        throw new LoricaException.BadInput(where + ": vision_feature_layer " + layer
                                + " does not exist; the vision encoder has " + encoderLayers + " layers, so say "
                                + (-1 - encoderLayers) + " to " + encoderLayers);
                    }
                    return state;
                })
                .toList();
    }

    static ModelConfig vision(ModelConfig whole) {
        return object(whole, "vision_config");
    }

    static ModelConfig text(ModelConfig whole) {
        ModelConfig text = object(whole, "text_config");
        if (!text.modelType().equals("llama")) {
            return text;
        }
        ObjectNode complete = text.json().deepCopy();
        LLAMA_DEFAULTS.forEach((key, value) -> {
            if (!complete.hasNonNull(key)) {
                complete.put(key, value);
            }
        });
        return new ModelConfig(complete, text.where());
    }

    private static ModelConfig object(ModelConfig whole, String key) {
        return whole.object(key)
                .orElseThrow(() -> new LoricaException.BadInput(whole.where() + ": key '" + key
                        + "' is missing; use a checkpoint of transformers' LlavaForConditionalGeneration"));
    }
}
