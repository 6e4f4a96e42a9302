package io.lorica.adapter.lowrank;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.DecimalNode;
import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.MethodInfo;
import io.lorica.adapter.Options;
import io.lorica.adapter.SiteShape;
import io.lorica.tensor.LoricaException;
import java.math.BigDecimal;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/**
 * Settings that every method with factors {@code B A} shares; keys and defaults as PEFT's {@code LoraConfig}. By itself
 * it is the configuration of a finished plain LoRA, which is how most of these methods are saved.
 *
 * @param r rank, from 1; default 8
 * @param alpha {@code lora_alpha}: the update is scaled by {@code alpha / r}; default 8
 * @param dropout {@code lora_dropout} of the branch's input, from 0 to below 1; default 0
 * @param rslora {@code use_rslora}: scale by {@code alpha / sqrt(r)} (Kalajdzievski 2023)
 * @param rankPattern ranks by end of name or regular expression, in the place of {@code r}
 * @param alphaPattern the same for {@code lora_alpha}
 * @param fanInFanOut written for PEFT; a site knows by itself how its weight is stored, and so does PEFT
 */
public record LowRankConfig(
        int r,
        double alpha,
        double dropout,
        boolean rslora,
        SequencedMap<String, Double> rankPattern,
        SequencedMap<String, Double> alphaPattern,
        boolean fanInFanOut)
        implements MethodConfig {

    /** What {@code lorica methods} says of these settings. */
    public static final List<MethodInfo.Key> KEYS = List.of(
            new MethodInfo.Key("r", "8", "rank"),
            new MethodInfo.Key("lora_alpha", "8", "the update is scaled by lora_alpha / r"),
            new MethodInfo.Key("lora_dropout", "0.0", "dropout of the branch's input"),
            new MethodInfo.Key("use_rslora", "false", "scale by lora_alpha / sqrt(r)"),
            new MethodInfo.Key("rank_pattern", "{}", "ranks by end of name or regular expression"),
            new MethodInfo.Key("alpha_pattern", "{}", "lora_alpha by end of name or regular expression"),
            new MethodInfo.Key("fan_in_fan_out", "false", "for PEFT: weights are stored [in, out]"));

    static final int MAX_RANK = 1 << 16;

    /** A finished plain LoRA of one rank, as a method is saved that can be written as one. */
    public static LowRankConfig plain(int r, double alpha, double dropout) {
        return new LowRankConfig(r, alpha, dropout, false, new LinkedHashMap<>(), new LinkedHashMap<>(), false);
    }

    /** Takes its keys out of {@code options}. */
    public static LowRankConfig parse(Options options) {
        LowRankConfig config = new LowRankConfig(
                options.integer("r", 8, 1, MAX_RANK),
                options.number("lora_alpha", 8, 0, 1e6),
                options.number("lora_dropout", 0, 0, 0.999),
                options.flag("use_rslora", false),
                options.numbers("rank_pattern", 1, MAX_RANK),
                options.numbers("alpha_pattern", 0, 1e6),
                options.flag("fan_in_fan_out", false));
        config.check(options.where());
        return config;
    }

    /**
     * Takes the keys that PEFT 0.21 writes into every LORA file and that Lorica has no use for: those that change
     * nothing, and those that must be empty.
     */
    public static void takeOthers(Options options) {
        // Changes nothing: module of a training framework; group size that counts only with use_qalora; settings of
        // initial values, which init_lora_weights switches on and a file already holds the outcome of.
        List.of("megatron_core", "qalora_group_size", "eva_config", "corda_config", "lora_ga_config")
                .forEach(options::take);
        Map.ofEntries(
                        Map.entry("loftq_config", "a quantized base with corrected weights"),
                        Map.entry("megatron_config", "layers of Megatron"),
                        Map.entry("runtime_config", "settings of a running program"),
                        Map.entry("layer_replication", "layers of the base that are used several times"),
                        Map.entry("use_qalora", "QALoRA's pooled input"),
                        Map.entry("trainable_token_indices", "single trained rows of the embedding"),
                        Map.entry("target_parameters", "adapters on bare parameters"),
                        Map.entry("alora_invocation_tokens", "adapters that start at a token (aLoRA)"),
                        Map.entry("arrow_config", "routing between adapters (Arrow)"),
                        Map.entry("ensure_weight_tying", "adapters shared by tied layers"),
                        Map.entry("kasa_config", "KaSA's singular values"),
                        Map.entry("monteclora_config", "MonteCLoRA's sampling"),
                        Map.entry("velora_config", "VeLoRA's compressed activations"),
                        Map.entry("use_bdlora", "block-diagonal factors (BD-LoRA)"))
                .forEach(options::harmlessOnlyWhenEmpty);
    }

    /** Takes the keys of LoRA's own variants too, which the starts of other methods are not combined with. */
    public static void takeVariants(Options options) {
        takeOthers(options);
        options.harmlessOnlyWhenEmpty("use_dora", "DoRA's magnitudes on top of another method's start");
        options.harmlessOnlyWhenEmpty("lora_bias", "a bias of B on top of another method's start");
    }

    void check(String where) {
        rankPattern.forEach((key, rank) -> {
            RankPattern.of(key, "rank_pattern", where);
            if (rank != Math.rint(rank)) {
                throw new LoricaException.BadInput(
                        where + ": key 'rank_pattern." + key + "' is " + rank + ", but must be a whole number");
            }
        });
        alphaPattern.keySet().forEach(key -> RankPattern.of(key, "alpha_pattern", where));
    }

    /** Refuses a rank above the smaller side of the site. */
    public void validate(SiteShape site, String where) {
        int rank = rank(site.name());
        long smaller = Math.min(site.in(), site.out());
        if (rank > smaller) {
            throw new LoricaException.BadInput(
                    where + ": rank " + rank + " at " + site.describe() + " is above the smaller side; choose r <= "
                            + smaller + ", or set it for this site in rank_pattern");
        }
    }

    /** Refuses an embedding, for methods that are defined on linear maps only. */
    public static void requireLinear(SiteShape site, String method, String where) {
        if (site.embedding()) {
            throw new LoricaException.Unsupported(where + ": method '" + method + "' acts on linear maps only, and "
                    + site.name() + " is an embedding; leave it out of target_modules");
        }
    }

    /** The rank at a site. */
    public int rank(String site) {
        return RankPattern.find(rankPattern, site).map(Double::intValue).orElse(r);
    }

    /** The alpha at a site. */
    public double alphaOf(String site) {
        return RankPattern.find(alphaPattern, site).orElse(alpha);
    }

    /** The factor on {@code B A x} at a site: from the site's own rank and alpha. */
    public double scaling(String site) {
        return alphaOf(site) / (rslora ? Math.sqrt(rank(site)) : rank(site));
    }

    /**
     * The same scaling at twice the rank: for factors {@code [B, -B0] [A; A0]} that replace a start taken off the base.
     */
    public LowRankConfig widened() {
        double widening = rslora ? Math.sqrt(2) : 2;
        return new LowRankConfig(
                2 * r,
                widening * alpha,
                dropout,
                rslora,
                times(rankPattern, 2),
                times(alphaPattern, widening),
                fanInFanOut);
    }

    /** The same with other ranks and alphas at single sites. */
    public LowRankConfig withPatterns(SequencedMap<String, Double> ranks, SequencedMap<String, Double> alphas) {
        return new LowRankConfig(r, alpha, dropout, rslora, ranks, alphas, fanInFanOut);
    }

    private static SequencedMap<String, Double> times(SequencedMap<String, Double> values, double factor) {
        SequencedMap<String, Double> product = new LinkedHashMap<>();
        values.forEach((key, value) -> product.put(key, factor * value));
        return product;
    }

    /** Writes a plain LORA configuration, all of PEFT's keys that matter. */
    @Override
    public void writeTo(ObjectNode json) {
        json.put("r", r);
        json.set("lora_alpha", number(alpha));
        json.put("lora_dropout", dropout);
        json.put("use_rslora", rslora);
        json.put("use_dora", false);
        json.put("init_lora_weights", true);
        json.set("rank_pattern", numbers(rankPattern));
        json.set("alpha_pattern", numbers(alphaPattern));
        json.put("fan_in_fan_out", fanInFanOut);
        json.put("lora_bias", false);
    }

    static ObjectNode numbers(Map<String, Double> values) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        values.forEach((key, value) -> json.set(key, number(value)));
        return json;
    }

    /** Whole numbers without a fraction, as PEFT expects ranks. */
    static JsonNode number(double value) {
        return value == Math.rint(value) && Math.abs(value) < 1e9
                ? IntNode.valueOf((int) value)
                : DecimalNode.valueOf(BigDecimal.valueOf(value));
    }
}
