package io.lorica.adapter.arcana;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.MethodInfo;
import io.lorica.adapter.Options;
import io.lorica.adapter.SiteShape;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.tensor.LoricaException;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Settings of MM-LoRA.
 *
 * @param vision {@code r_vision}, rank of the pair of image tokens; from 0, where they keep the frozen map
 * @param language {@code r_language}, rank of the pair of all other tokens; likewise
 * @param visionScaling {@code scaling_vision}, factor on their update; not divided by the rank, as officially
 * @param languageScaling {@code scaling_language}, likewise
 * @param dropout {@code lora_dropout} of a branch's input
 * @param ladder trained with it where not null
 */
record MmLoraConfig(
        int vision,
        int language,
        double visionScaling,
        double languageScaling,
        double dropout,
        @Nullable LadderConfig ladder)
        implements MethodConfig {
    static final List<MethodInfo.Key> KEYS = List.of(
            new MethodInfo.Key("r", "256", "both ranks together, where they are not given one by one"),
            new MethodInfo.Key("beta", "0.25", "part of r for image tokens; the paper's gamma is 1 - beta"),
            new MethodInfo.Key("r_vision", "round(beta r)", "rank of image tokens; 0 leaves them to the base"),
            new MethodInfo.Key("r_language", "r - r_vision", "rank of other tokens; likewise"),
            new MethodInfo.Key("scaling_vision", "2", "factor on the update of image tokens"),
            new MethodInfo.Key("scaling_language", "2", "factor on the update of other tokens"),
            new MethodInfo.Key("lora_dropout", "0.05", "dropout of a branch's input"),
            new MethodInfo.Key(
                    "qladder", "null", "settings of a qladder that is trained with it, {} for its defaults"));

    private static final int MAX_RANK = 1 << 16;

    static MmLoraConfig parse(Options options) {
        int r = options.integer("r", 256, 1, MAX_RANK);
        double beta = options.number("beta", 0.25, 0, 1);
        int vision = options.integer("r_vision", Math.toIntExact(Math.round(beta * r)), 0, MAX_RANK);
        int language = options.integer("r_language", Math.max(0, r - vision), 0, MAX_RANK);
        if (vision + language == 0) {
            throw new LoricaException.BadInput(options.where()
                    + ": keys 'r_vision' and 'r_language' are both 0, so there is nothing to train; give one a rank");
        }
        return new MmLoraConfig(
                vision,
                language,
                options.number("scaling_vision", 2, 0, 1e6),
                options.number("scaling_language", 2, 0, 1e6),
                options.number("lora_dropout", 0.05, 0, 0.999),
                options.take("qladder").map(node -> ladder(options, node)).orElse(null));
    }

    private static LadderConfig ladder(Options options, JsonNode node) {
        if (!(node instanceof ObjectNode settings)) {
            throw options.wrong("qladder", node, "an object of settings, such as {\"num_queries\": 64}");
        }
        Options own = new Options(settings, options.where() + ": qladder");
        LadderConfig config = LadderConfig.parse(own);
        own.refuseUnknown();
        return config;
    }

    /** Each pair's rank must fit, as with LoRA; their sum may not. */
    void validate(SiteShape site, String where) {
        LowRankConfig.requireLinear(site, "mm-lora", where);
        long smaller = Math.min(site.in(), site.out());
        Stream.of("r_vision", "r_language").forEach(key -> {
            int rank = key.equals("r_vision") ? vision : language;
            if (rank > smaller) {
                throw new LoricaException.BadInput(where + ": key '" + key + "' is " + rank
                        + ", which is above the smaller side of " + site.describe() + "; choose " + smaller
                        + " at most, or a smaller r");
            }
        });
    }

    @Override
    public void writeTo(ObjectNode json) {
        json.put("r", vision + language);
        json.put("beta", (double) vision / (vision + language));
        json.put("r_vision", vision);
        json.put("r_language", language);
        json.put("scaling_vision", visionScaling);
        json.put("scaling_language", languageScaling);
        json.put("lora_dropout", dropout);
        if (ladder == null) {
            json.putNull("qladder");
        } else {
            ladder.writeTo(json.putObject("qladder"));
        }
    }
}
