package io.lorica.train.fewshot;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.model.ModelConfig;
import java.util.LinkedHashMap;
import java.util.SequencedMap;

/**
 * Sizes of the small CLIP that {@link ClipPretrainer} makes; both towers are alike.
 *
 * @param imageSize side of a picture in pixels
 * @param projection width of the features
 */
record ClipSizes(int hidden, int layers, int heads, int imageSize, int patchSize, int projection, int contextLength) {
    private static final int CHANNELS = 3;

    static ClipSizes small() {
        return new ClipSizes(96, 3, 4, 32, 8, 64, 32);
    }

    private int inner() {
        return 4 * hidden;
    }

    private int patches() {
        return (imageSize / patchSize) * (imageSize / patchSize);
    }

    ModelConfig config(int vocabulary, long start, long end) {
        ObjectNode json = new ObjectMapper().createObjectNode();
        json.putArray("architectures").add("CLIPModel");
        json.put("model_type", "clip").put("projection_dim", projection).put("torch_dtype", "float32");
        tower(json.putObject("text_config"), "clip_text_model")
                .put("vocab_size", vocabulary)
                .put("max_position_embeddings", contextLength)
                .put("bos_token_id", start)
                .put("eos_token_id", end)
                .put("pad_token_id", end);
        tower(json.putObject("vision_config"), "clip_vision_model")
                .put("image_size", imageSize)
                .put("patch_size", patchSize)
                .put("num_channels", CHANNELS);
        return new ModelConfig(json, "config.json");
    }

    private ObjectNode tower(ObjectNode json, String type) {
        return json.put("model_type", type)
                .put("hidden_size", hidden)
                .put("intermediate_size", inner())
                .put("num_hidden_layers", layers)
                .put("num_attention_heads", heads)
                .put("projection_dim", projection)
                .put("hidden_act", "quick_gelu")
                .put("layer_norm_eps", 1e-5)
                .put("attention_dropout", 0.0);
    }

    /** Every weight with its shape. */
    SequencedMap<String, long[]> shapes(int vocabulary) {
        SequencedMap<String, long[]> shapes = new LinkedHashMap<>();
        shapes.put("logit_scale", new long[0]);
        String text = "text_model.embeddings.";
        shapes.put(text + "token_embedding.weight", new long[] {vocabulary, hidden});
        shapes.put(text + "position_embedding.weight", new long[] {contextLength, hidden});
        layers(shapes, "text_model");
        norm(shapes, "text_model.final_layer_norm");
        shapes.put("text_projection.weight", new long[] {projection, hidden});
        String vision = "vision_model.embeddings.";
        shapes.put(vision + "class_embedding", new long[] {hidden});
        shapes.put(vision + "patch_embedding.weight", new long[] {hidden, CHANNELS, patchSize, patchSize});
        shapes.put(vision + "position_embedding.weight", new long[] {patches() + 1, hidden});
        norm(shapes, "vision_model.pre_layrnorm");
        layers(shapes, "vision_model");
        norm(shapes, "vision_model.post_layernorm");
        shapes.put("visual_projection.weight", new long[] {projection, hidden});
        return shapes;
    }

    private void layers(SequencedMap<String, long[]> shapes, String tower) {
        for (int i = 0; i < layers; i++) {
            String layer = tower + ".encoder.layers." + i + ".";
            for (String map : new String[] {"q_proj", "k_proj", "v_proj", "out_proj"}) {
                linear(shapes, layer + "self_attn." + map, hidden, hidden);
            }
            norm(shapes, layer + "layer_norm1");
            linear(shapes, layer + "mlp.fc1", inner(), hidden);
            linear(shapes, layer + "mlp.fc2", hidden, inner());
            norm(shapes, layer + "layer_norm2");
        }
    }

    private static void linear(SequencedMap<String, long[]> shapes, String name, long out, long in) {
        shapes.put(name + ".weight", new long[] {out, in});
        shapes.put(name + ".bias", new long[] {out});
    }

    private void norm(SequencedMap<String, long[]> shapes, String name) {
        shapes.put(name + ".weight", new long[] {hidden});
        shapes.put(name + ".bias", new long[] {hidden});
    }
}
