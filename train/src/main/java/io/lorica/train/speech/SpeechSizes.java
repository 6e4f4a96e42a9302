package io.lorica.train.speech;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.model.ModelConfig;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;

/**
 * A small model of Llama-MTSK's layout: its configuration and the shapes of its weights. Words are the ten digits.
 *
 * @param width of all three transformers
 * @param layers of each
 */
record SpeechSizes(int width, int layers, int bins) {
    static final int START = 0;
    static final int END = 1;
    /** Id of the digit 0. */
    static final int ZERO = 2;

    private static final int VOCABULARY = 17;
    private static final int HEADS = 4;
    private static final int PATCH = 7;
    private static final int FILTERS = 16;

    /** Rates that the language model learns to read at; the scales of the adapters come after them. */
    static final List<Integer> AUDIO = List.of(8, 4, 16);

    static final List<Integer> VIDEO = List.of(4, 2, 5);

    ModelConfig config() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("model_type", "llama_mtsk").put("compression", "avg-pooling");
        json.put("projector_size", 2 * width).put("projector_layer_norm", true);
        AUDIO.forEach(json.putArray("audio_rates")::add);
        VIDEO.forEach(json.putArray("video_rates")::add);
        json.put("audio_token_id", 12).put("audio_end_token_id", 13);
        json.put("video_token_id", 14).put("video_end_token_id", 15).put("placeholder_token_id", 16);
        json.putObject("audio_config")
                .put("model_type", "whisper")
                .put("num_mel_bins", bins)
                .put("d_model", width)
                .put("encoder_layers", layers)
                .put("encoder_attention_heads", HEADS)
                .put("encoder_ffn_dim", 2 * width)
                .put("max_source_positions", DigitClip.DIGITS * DigitClip.FRAMES / 2);
        json.putObject("video_config")
                .put("model_type", "small_video")
                .put("image_size", DigitClip.SIDE)
                .put("patch_size", PATCH)
                .put("num_filters", FILTERS)
                .put("hidden_size", width)
                .put("intermediate_size", 2 * width)
                .put("num_attention_heads", HEADS)
                .put("num_hidden_layers", layers)
                .put("max_position_embeddings", DigitClip.DIGITS * DigitClip.PICTURES);
        json.putObject("text_config")
                .put("model_type", "llama")
                .put("hidden_size", width)
                .put("intermediate_size", 2 * width)
                .put("num_hidden_layers", layers)
                .put("num_attention_heads", HEADS)
                .put("num_key_value_heads", HEADS)
                .put("vocab_size", VOCABULARY)
                .put("max_position_embeddings", 256)
                .put("rms_norm_eps", 1e-5)
                .put("tie_word_embeddings", false);
        return new ModelConfig(json, "config.json");
    }

    SequencedMap<String, long[]> shapes() {
        SequencedMap<String, long[]> shapes = new LinkedHashMap<>();
        String ears = "audio_encoder.model.encoder.";
        conv(shapes, ears + "conv1", width, bins, 3);
        conv(shapes, ears + "conv2", width, width, 3);
        shapes.put(ears + "embed_positions.weight", new long[] {DigitClip.DIGITS * (DigitClip.FRAMES / 2), width});
        encoder(shapes, ears, false);
        String eyes = "video_encoder.";
        conv(shapes, eyes + "patches", FILTERS, 1, PATCH, PATCH);
        int side = DigitClip.SIDE / PATCH;
        linear(shapes, eyes + "frame", width, side * side * FILTERS);
        shapes.put(eyes + "embed_positions.weight", new long[] {DigitClip.DIGITS * DigitClip.PICTURES, width});
        encoder(shapes, eyes, true);
        language(shapes);
        projectors(shapes, "audio_proj.", AUDIO.size());
        projectors(shapes, "video_proj.", VIDEO.size());
        return shapes;
    }

    private void encoder(SequencedMap<String, long[]> shapes, String at, boolean keyBias) {
        for (int layer = 0; layer < layers; layer++) {
            String name = at + "layers." + layer + ".";
            for (String map : List.of("q_proj", "k_proj", "v_proj", "out_proj")) {
                linear(shapes, name + "self_attn." + map, width, width);
            }
            if (!keyBias) {
                shapes.remove(name + "self_attn.k_proj.bias");
            }
            linear(shapes, name + "fc1", 2 * width, width);
            linear(shapes, name + "fc2", width, 2 * width);
            norm(shapes, name + "self_attn_layer_norm");
            norm(shapes, name + "final_layer_norm");
        }
        norm(shapes, at + "layer_norm");
    }

    private void language(SequencedMap<String, long[]> shapes) {
        shapes.put("llm.model.embed_tokens.weight", new long[] {VOCABULARY, width});
        shapes.put("llm.lm_head.weight", new long[] {VOCABULARY, width});
        shapes.put("llm.model.norm.weight", new long[] {width});
        for (int layer = 0; layer < layers; layer++) {
            String name = "llm.model.layers." + layer + ".";
            for (String map : List.of("q_proj", "k_proj", "v_proj", "o_proj")) {
                shapes.put(name + "self_attn." + map + ".weight", new long[] {width, width});
            }
            shapes.put(name + "mlp.gate_proj.weight", new long[] {2L * width, width});
            shapes.put(name + "mlp.up_proj.weight", new long[] {2L * width, width});
            shapes.put(name + "mlp.down_proj.weight", new long[] {width, 2L * width});
            shapes.put(name + "input_layernorm.weight", new long[] {width});
            shapes.put(name + "post_attention_layernorm.weight", new long[] {width});
        }
    }

    private void projectors(SequencedMap<String, long[]> shapes, String at, int count) {
        for (int i = 0; i < count; i++) {
            linear(shapes, at + i + ".0", 2 * width, width);
            linear(shapes, at + i + ".2", width, 2 * width);
            norm(shapes, at + i + ".3");
        }
    }

    private static void conv(SequencedMap<String, long[]> shapes, String name, long... shape) {
        shapes.put(name + ".weight", shape);
        shapes.put(name + ".bias", new long[] {shape[0]});
    }

    private static void linear(SequencedMap<String, long[]> shapes, String name, int out, int in) {
        conv(shapes, name, out, in);
    }

    private void norm(SequencedMap<String, long[]> shapes, String name) {
        conv(shapes, name, width);
    }
}
