package io.lorica.adapter.lora;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.BooleanNode;
import com.fasterxml.jackson.databind.node.DecimalNode;
import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.Options;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Names;
import java.math.BigDecimal;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SequencedMap;

/**
 * Settings of LoRA, keys and defaults as in PEFT.
 *
 * @param r rank, from 1; default 8
 * @param alpha {@code lora_alpha}: the update is scaled by {@code alpha / r}; default 8
 * @param dropout {@code lora_dropout} of the branch's input, from 0 to below 1; default 0
 * @param rslora {@code use_rslora}: scale by {@code alpha / sqrt(r)} (Kalajdzievski 2023)
 * @param dora {@code use_dora}: learn the row norms of the adapted weight apart from its direction (Liu et al. 2024)
 * @param init {@code init_lora_weights}
 * @param rankPattern ranks by end of name or regular expression, in the place of {@code r}
 * @param alphaPattern the same for {@code lora_alpha}
 * @param fanInFanOut written for PEFT; a site knows by itself how its weight is stored, and so does PEFT
 * @param bias {@code lora_bias}: B has a bias
 */
public record LoraConfig(
        int r,
        double alpha,
        double dropout,
        boolean rslora,
        boolean dora,
        Init init,
        SequencedMap<String, Double> rankPattern,
        SequencedMap<String, Double> alphaPattern,
        boolean fanInFanOut,
        boolean bias)
        implements MethodConfig {

    private static final int MAX_RANK = 1 << 16;

    /** Initial values. */
    public enum Init {
        /** {@code true}: A Kaiming-uniform, B zero. */
        DEFAULT,
        /** {@code false}: both Kaiming-uniform, so that the adapter changes the model from the start. */
        RANDOM,
        /** A normal with deviation {@code 1/r}, B zero. */
        GAUSSIAN,
        /** Factors of the QR decomposition of the weight, taken away from it (Büyükakyüz 2024). */
        OLORA,
        /** Both from halves of one orthogonal matrix, so that {@code B A = 0}; even ranks only. */
        ORTHOGONAL,
        /** Read from PEFT files only: initial values from data, already in the file. */
        EVA;

        JsonNode json() {
            return switch (this) {
                case DEFAULT -> BooleanNode.TRUE;
                case RANDOM -> BooleanNode.FALSE;
                default -> TextNode.valueOf(name().toLowerCase(Locale.ROOT));
            };
        }

        static Init parse(Options options) {
            JsonNode node = options.take("init_lora_weights").orElse(BooleanNode.TRUE);
            if (node.isBoolean()) {
                return node.booleanValue() ? DEFAULT : RANDOM;
            }
            List<String> known = List.of("gaussian", "olora", "orthogonal", "eva");
            String text = node.asText().toLowerCase(Locale.ROOT);
            if (known.contains(text)) {
                return valueOf(text.toUpperCase(Locale.ROOT));
            }
            if (text.matches("pissa.*|loftq|corda|lora_ga|mica")) {
                throw new LoricaException.Unsupported(
                        options.where() + ": key 'init_lora_weights' is " + node
                                + ", which also changes the base's weights, and Lorica cannot make that start again; "
                                + "convert the adapter in PEFT (save_pretrained with path_initial_model_for_weight_conversion)");
            }
            throw new LoricaException.BadInput(options.where() + ": key 'init_lora_weights' is " + node
                    + ", but must be true, false, " + String.join(", ", known) + Names.didYouMean(text, known));
        }
    }

    static LoraConfig parse(Options options) {
        int r = options.integer("r", 8, 1, MAX_RANK);
        double alpha = options.number("lora_alpha", 8, 0, 1e6);
        double dropout = options.number("lora_dropout", 0, 0, 0.999);
        boolean rslora = options.flag("use_rslora", false);
        boolean dora = options.flag("use_dora", false);
        Init init = Init.parse(options);
        SequencedMap<String, Double> ranks = options.numbers("rank_pattern", 1, MAX_RANK);
        SequencedMap<String, Double> alphas = options.numbers("alpha_pattern", 0, 1e6);
        boolean fan = options.flag("fan_in_fan_out", false);
        boolean bias = options.flag("lora_bias", false);
        takeOthers(options);
        LoraConfig config = new LoraConfig(r, alpha, dropout, rslora, dora, init, ranks, alphas, fan, bias);
        config.check(options.where());
        return config;
    }

    /** Keys that PEFT 0.21 writes into every LORA file. */
    private static void takeOthers(Options options) {
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

    private void check(String where) {
        rankPattern.forEach((key, rank) -> {
            LoraPattern.of(key, "rank_pattern", where);
            if (rank != Math.rint(rank)) {
                throw new LoricaException.BadInput(
                        where + ": key 'rank_pattern." + key + "' is " + rank + ", but must be a whole number");
            }
        });
        alphaPattern.keySet().forEach(key -> LoraPattern.of(key, "alpha_pattern", where));
        if (bias && (dora || (init != Init.DEFAULT && init != Init.RANDOM))) {
            throw new LoricaException.BadInput(where + ": key 'lora_bias' is true, which works only without use_dora "
                    + "and with init_lora_weights true or false; set it to false");
        }
    }

    /** The rank at a site. */
    int rank(String site) {
        return LoraPattern.find(rankPattern, site)
                .map(rankPattern::get)
                .map(Double::intValue)
                .orElse(r);
    }

    /** The factor on {@code B A x} at a site: from the site's own rank and alpha. */
    double scaling(String site) {
        double own = LoraPattern.find(alphaPattern, site).map(alphaPattern::get).orElse(alpha);
        return own / (rslora ? Math.sqrt(rank(site)) : rank(site));
    }

    LoraConfig withInit(Init other) {
        return new LoraConfig(r, alpha, dropout, rslora, dora, other, rankPattern, alphaPattern, fanInFanOut, bias);
    }

    @Override
    public void writeTo(ObjectNode json) {
        json.put("r", r);
        json.set("lora_alpha", number(alpha));
        json.put("lora_dropout", dropout);
        json.put("use_rslora", rslora);
        json.put("use_dora", dora);
        json.set("init_lora_weights", init.json());
        json.set("rank_pattern", numbers(rankPattern));
        json.set("alpha_pattern", numbers(alphaPattern));
        json.put("fan_in_fan_out", fanInFanOut);
        json.put("lora_bias", bias);
    }

    private static ObjectNode numbers(Map<String, Double> values) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        values.forEach((key, value) -> json.set(key, number(value)));
        return json;
    }

    /** Whole numbers without a fraction, as PEFT expects ranks. */
    private static JsonNode number(double value) {
        return value == Math.rint(value) && Math.abs(value) < 1e9
                ? IntNode.valueOf((int) value)
                : DecimalNode.valueOf(BigDecimal.valueOf(value));
    }
}
