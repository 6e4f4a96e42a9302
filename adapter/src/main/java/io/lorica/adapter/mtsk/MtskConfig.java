package io.lorica.adapter.mtsk;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.MethodInfo;
import io.lorica.adapter.Options;
import io.lorica.adapter.SiteShape;
import io.lorica.model.Rates;
import io.lorica.tensor.LoricaException;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Settings of Llama-MTSK.
 *
 * @param reduction {@code rank}: the width of a site divided by it is the rank of its factors
 * @param alpha the update is scaled by {@code alpha / rank}
 * @param audioRates empty for models that only see
 * @param videoRates empty for models that only hear
 */
record MtskConfig(int reduction, double alpha, Strategy strategy, List<Integer> audioRates, List<Integer> videoRates)
        implements MethodConfig {
    static final String AUDIO = "audio_rates";
    static final String VIDEO = "video_rates";
    static final String STRATEGY = "lora_strategy";

    static final List<MethodInfo.Key> KEYS = List.of(
            new MethodInfo.Key("rank", "64", "reduction: factors have the rank in / rank"),
            new MethodInfo.Key("alpha", "8", "the update is scaled by alpha / rank"),
            new MethodInfo.Key(STRATEGY, "ms", "ms (one for all scales), ss (one for each) or mss (both)"),
            new MethodInfo.Key(AUDIO, "[4, 16]", "frames of sound that become one token; [] without sound"),
            new MethodInfo.Key(VIDEO, "[2, 5]", "pictures that become one token; [] without pictures"));

    static MtskConfig parse(Options options) {
        String strategy = options.choice(STRATEGY, "ms", List.of("ms", "ss", "mss"));
        MtskConfig config = new MtskConfig(
                options.integer("rank", 64, 1, 1 << 20),
                options.number("alpha", 8, 0, 1e6),
                Strategy.valueOf(strategy.toUpperCase(Locale.ROOT)),
                rates(options, AUDIO, List.of(4, 16)),
                rates(options, VIDEO, List.of(2, 5)));
        if (config.audioRates.isEmpty() && config.videoRates.isEmpty()) {
            throw new LoricaException.BadInput(options.where() + ": keys '" + AUDIO + "' and '" + VIDEO
                    + "' are both empty, so there is no scale; give one of them a rate");
        }
        return config;
    }

    private static List<Integer> rates(Options options, String key, List<Integer> otherwise) {
        Optional<JsonNode> given = options.take(key);
        if (given.isEmpty()) {
            return otherwise;
        }
        List<Integer> rates = options.integers(key);
        if (rates.stream().anyMatch(rate -> rate < 1)
                || rates.stream().distinct().count() < rates.size()) {
            throw options.wrong(key, given.get(), "different whole numbers from 1, such as [4, 16]");
        }
        return List.copyOf(rates);
    }

    List<Rates> scales() {
        return Rates.pairs(audioRates, videoRates);
    }

    /** {@code s}. */
    double scaling() {
        return alpha / reduction;
    }

    /** {@code h = round(in / rank)}. */
    int rank(long in) {
        return Math.toIntExact(Math.round((double) in / reduction));
    }

    void validate(SiteShape site, String where) {
        int h = rank(site.in());
        if (h < 1 || h > Math.min(site.in(), site.out())) {
            throw new LoricaException.BadInput(where + ": key 'rank' is " + reduction + ", which divides the width "
                    + site.in() + " of " + site.describe() + " into factors of rank " + h + "; choose a divisor of "
                    + site.in() + " (it reduces the width and is not LoRA's rank)");
        }
    }

    @Override
    public void writeTo(ObjectNode json) {
        json.put("rank", reduction);
        json.put("alpha", alpha);
        json.put(STRATEGY, strategy.name().toLowerCase(Locale.ROOT));
        audioRates.forEach(json.putArray(AUDIO)::add);
        videoRates.forEach(json.putArray(VIDEO)::add);
    }
}
