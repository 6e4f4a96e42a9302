package io.lorica.server;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.Options;
import io.lorica.model.Sampling;
import io.lorica.tensor.LoricaException;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/**
 * The keys of a request. Three kinds: those that are honoured; those of OpenAI's API that mean nothing here and are
 * taken without effect, as vLLM does ({@code user}, {@code store} …); and those that would change the answer, which are
 * refused unless they say what happens anyway ({@code "frequency_penalty": 0}). A key that nobody knows is refused.
 */
final class Fields {
    private static final String WHERE = "request";
    private static final List<String> WITHOUT_EFFECT = List.of(
            "user",
            "metadata",
            "store",
            "service_tier",
            "parallel_tool_calls",
            "prompt_cache_key",
            "prompt_cache_retention",
            "safety_identifier",
            "reasoning_effort",
            "verbosity");

    private final Options options;

    Fields(ObjectNode json) {
        options = new Options(json, WHERE);
    }

    Options options() {
        return options;
    }

    /** The value of a key that must be there. */
    JsonNode required(String key) {
        return options.take(key)
                .orElseThrow(() -> new LoricaException.BadInput(WHERE + ": key '" + key + "' is missing; give it"));
    }

    /** A text that must be there. */
    String text(String key) {
        JsonNode text = required(key);
        if (!text.isTextual() || text.textValue().isBlank()) {
            throw options.wrong(key, text, "a text that is not blank");
        }
        return text.textValue();
    }

    /** The name of the base, an adapter, or a blend. */
    String model() {
        return text("model");
    }

    /** How many tokens an answer may have, where the request says it; two keys that disagree are refused. */
    OptionalInt limit() {
        int old = options.integer("max_tokens", 0, 1, Integer.MAX_VALUE);
        int limit = options.integer("max_completion_tokens", old, 1, Integer.MAX_VALUE);
        if (old > 0 && limit != old) {
            throw new LoricaException.BadInput(WHERE + ": key 'max_tokens' is " + old
                    + ", but 'max_completion_tokens' is " + limit + "; give one of them");
        }
        return limit > 0 ? OptionalInt.of(limit) : OptionalInt.empty();
    }

    /** OpenAI's defaults (temperature 1, all tokens), with vLLM's further keys. */
    Sampling sampling(int maxTokens) {
        double temperature = options.number("temperature", 1, 0, 2);
        double topP = options.number("top_p", 1, 0, 1);
        int topK = Math.max(0, options.integer("top_k", 0, -1, Integer.MAX_VALUE));
        double minP = options.number("min_p", 0, 0, 1);
        double penalty = options.number("repetition_penalty", 1, 0.01, 100);
        boolean ignoreEos = options.flag("ignore_eos", false);
        return new Sampling(temperature, topK, topP, minP, penalty, maxTokens, stop(), seed(), ignoreEos);
    }

    private List<String> stop() {
        List<String> stop = options.strings("stop");
        if (stop.size() > 16 || stop.stream().anyMatch(text -> text.isEmpty() || text.length() > 1024)) {
            throw new LoricaException.BadInput(WHERE + ": key 'stop' must be up to 16 texts of 1 to 1024 characters");
        }
        return stop;
    }

    private long seed() {
        JsonNode seed = options.take("seed").orElse(null);
        if (seed == null) {
            return ThreadLocalRandom.current().nextLong();
        }
        if (!seed.isIntegralNumber() || !seed.canConvertToLong()) {
            throw options.wrong("seed", seed, "a whole number of 64 bits");
        }
        return seed.longValue();
    }

    boolean stream() {
        return options.flag("stream", false);
    }

    boolean streamUsage(boolean stream) {
        JsonNode node = options.take("stream_options").orElse(null);
        if (node == null) {
            return false;
        }
        if (!stream || !(node instanceof ObjectNode object)) {
            throw options.wrong("stream_options", node, "an object, and only where 'stream' is true");
        }
        Options inner = new Options(object, WHERE + ".stream_options");
        boolean usage = inner.flag("include_usage", false);
        inner.flag("include_obfuscation", false); // hides lengths from who listens in; without effect here
        inner.refuseUnknown();
        return usage;
    }

    /** To be called when every key that means something was taken. */
    void finish() {
        WITHOUT_EFFECT.forEach(options::take);
        unlessZero("frequency_penalty");
        unlessZero("presence_penalty");
        options.harmlessOnlyWhenEmpty("logit_bias", "a bias on single tokens");
        options.refuseUnknown();
    }

    private void unlessZero(String key) {
        if (options.number(key, 0, -2, 2) != 0) {
            throw new LoricaException.Unsupported(WHERE + ": key '" + key
                    + "' is not 0, which this server does not do; leave it out, or give 'repetition_penalty'");
        }
    }

    /** Takes a key whose only meaningful value is what happens anyway. */
    void only(String key, String value, String why) {
        JsonNode node = options.take(key).orElse(null);
        JsonNode said = node != null && node.isObject() ? node.get("type") : node;
        if (node != null
                && !(said != null && said.isTextual() && said.textValue().equals(value))) {
            throw unsupported(key, node, why);
        }
    }

    static LoricaException.Unsupported unsupported(String key, @Nullable JsonNode node, String why) {
        return new LoricaException.Unsupported(
                WHERE + ": key '" + key + "' is " + node + ", which asks for " + why + "; leave it out");
    }
}
