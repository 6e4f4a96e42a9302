package io.lorica.train.scenes;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.model.ModelConfig;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;

/**
 * A small LLaVA: its configuration and the shapes of its weights. Words are those of {@link Question}.
 *
 * @param width of both transformers
 * @param seeing layers of the vision encoder
 * @param reading layers of the language model
 */
record SceneSizes(long width, int seeing, int reading) {
    private static final int HEADS = 4;
    private static final int PATCH = 6;

    ModelConfig config() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("model_type", "llava")
                .put("image_token_index", Question.IMAGE)
                .put("vision_feature_layer", -2)
                .put("vision_feature_select_strategy", "default")
                .put("projector_hidden_act", "gelu");
        json.putObject("vision_config")
                .put("model_type", "clip_vision_model")
                .put("hidden_size", width)
                .put("intermediate_size", 2 * width)
                .put("num_attention_heads", HEADS)
                .put("num_hidden_layers", seeing)
                .put("image_size", Scene.SIDE)
                .put("patch_size", PATCH);
        json.putObject("text_config")
                .put("model_type", "llama")
                .put("hidden_size", width)
                .put("intermediate_size", 2 * width)
                .put("num_hidden_layers", reading)
                .put("num_attention_heads", HEADS)
                .put("num_key_value_heads", HEADS)
                .put("vocab_size", Question.WORDS)
                .put("max_position_embeddings", 64)
                .put("rms_norm_eps", 1e-5)
                .put("tie_word_embeddings", false);
        return new ModelConfig(json, "config.json");
    }

    SequencedMap<String, long[]> shapes() {
        SequencedMap<String, long[]> shapes = new LinkedHashMap<>();
        String eyes = "model.vision_tower.";
        long side = Scene.SIDE / PATCH;
        shapes.put(eyes + "embeddings.class_embedding", new long[] {width});
        shapes.put(eyes + "embeddings.patch_embedding.weight", new long[] {width, 3, PATCH, PATCH});
        shapes.put(eyes + "embeddings.position_embedding.weight", new long[] {side * side + 1, width});
        biased(shapes, eyes + "pre_layrnorm", width);
        for (int layer = 0; layer < seeing; layer++) {
            String name = eyes + "encoder.layers." + layer + ".";
            List.of("q_proj", "k_proj", "v_proj", "out_proj")
                    .forEach(map -> biased(shapes, name + "self_attn." + map, width, width));
            biased(shapes, name + "mlp.fc1", 2 * width, width);
            biased(shapes, name + "mlp.fc2", width, 2 * width);
            biased(shapes, name + "layer_norm1", width);
            biased(shapes, name + "layer_norm2", width);
        }
        biased(shapes, eyes + "post_layernorm", width);
        biased(shapes, "model.multi_modal_projector.linear_1", width, width);
        biased(shapes, "model.multi_modal_projector.linear_2", width, width);
        language(shapes);
        return shapes;
    }

    private void language(SequencedMap<String, long[]> shapes) {
        String words = "model.language_model.";
        shapes.put(words + "embed_tokens.weight", new long[] {Question.WORDS, width});
        shapes.put("lm_head.weight", new long[] {Question.WORDS, width});
        shapes.put(words + "norm.weight", new long[] {width});
        for (int layer = 0; layer < reading; layer++) {
            String name = words + "layers." + layer + ".";
            List.of("q_proj", "k_proj", "v_proj", "o_proj")
                    .forEach(map -> shapes.put(name + "self_attn." + map + ".weight", new long[] {width, width}));
            shapes.put(name + "mlp.gate_proj.weight", new long[] {2 * width, width});
            shapes.put(name + "mlp.up_proj.weight", new long[] {2 * width, width});
            shapes.put(name + "mlp.down_proj.weight", new long[] {width, 2 * width});
            shapes.put(name + "input_layernorm.weight", new long[] {width});
            shapes.put(name + "post_attention_layernorm.weight", new long[] {width});
        }
    }

    private static void biased(SequencedMap<String, long[]> shapes, String name, long... shape) {
        shapes.put(name + ".weight", shape);
        shapes.put(name + ".bias", new long[] {shape[0]});
    }
}
