package io.lorica.model.mtsk;

import com.fasterxml.jackson.databind.JsonNode;
import io.lorica.model.ModelConfig;
import io.lorica.tensor.LoricaException;
import java.util.List;
import java.util.stream.IntStream;

/**
 * What joins encoders and language model, from a {@code config.json} of Lorica's own (the official code has none).
 *
 * @param audioRates empty without {@code audio_config}
 * @param videoRates empty without {@code video_config}
 * @param projectorSize width between a projector's two maps
 * @param placeholder the id that marks the place of a compressed state; no text uses it
 */
record MtskConfig(
        Compression compression,
        List<Integer> audioRates,
        List<Integer> videoRates,
        int projectorSize,
        boolean projectorNorm,
        int audioStart,
        int audioEnd,
        int videoStart,
        int videoEnd,
        int placeholder) {

    static MtskConfig from(ModelConfig config) {
        MtskConfig read = new MtskConfig(
                Compression.of(config),
                rates(config, "audio"),
                rates(config, "video"),
                config.integer("projector_size", 2048),
                config.flag("projector_layer_norm", true),
                config.integer("audio_token_id"),
                config.integer("audio_end_token_id"),
                config.integer("video_token_id"),
                config.integer("video_end_token_id"),
                config.integer("placeholder_token_id"));
        if (read.audioRates.isEmpty() && read.videoRates.isEmpty()) {
            throw new LoricaException.BadInput(
                    config.where() + ": neither audio_config nor video_config is there; give the model an encoder");
        }
        return read;
    }

    private static List<Integer> rates(ModelConfig config, String stream) {
        String key = stream + "_rates";
        if (!config.has(stream + "_config")) {
            return List.of();
        }
        JsonNode node = config.json().path(key);
        List<JsonNode> all = IntStream.range(0, node.size()).mapToObj(node::get).toList();
        List<Integer> rates = all.stream().map(JsonNode::asInt).distinct().toList();
        if (rates.isEmpty() || rates.size() < all.size() || rates.stream().anyMatch(rate -> rate < 1)) {
            throw new LoricaException.BadInput(config.where() + ": key '" + key + "' is " + node
                    + ", but must list different whole numbers from 1, such as [4, 16]");
        }
        return rates;
    }

    void requireWithin(int vocabulary, String where) {
        List.of(audioStart, audioEnd, videoStart, videoEnd, placeholder).forEach(id -> {
            if (id >= vocabulary) {
                throw new LoricaException.BadInput(where + ": token id " + id + " lies outside the vocabulary of "
                        + vocabulary + "; grow the vocabulary by the tags of audio and video");
            }
        });
    }
}
