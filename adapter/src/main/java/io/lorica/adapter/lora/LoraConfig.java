package io.lorica.adapter.lora;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.BooleanNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.Options;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Names;
import java.util.List;
import java.util.Locale;

/**
 * Settings of LoRA, keys and defaults as in PEFT.
 *
 * @param lowRank rank, alpha, dropout, rsLoRA and the patterns
 * @param dora {@code use_dora}: learn the row norms of the adapted weight apart from its direction (Liu et al. 2024)
 * @param init {@code init_lora_weights}
 * @param bias {@code lora_bias}: B has a bias
 */
public record LoraConfig(LowRankConfig lowRank, boolean dora, Init init, boolean bias) implements MethodConfig {

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
        EVA,
        /** Whatever they were, the file holds the outcome; written as {@code true}. */
        FILE;

        JsonNode json() {
            return switch (this) {
                case DEFAULT, FILE -> BooleanNode.TRUE;
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
            if (text.matches("pissa(_niter_\\d+)?")) {
                throw new LoricaException.BadInput(options.where() + ": key 'init_lora_weights' is " + node
                        + ", which is a method of its own here; choose method 'pissa' and keep the key");
            }
            if (text.matches("loftq|corda|lora_ga|mica")) {
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
        LowRankConfig lowRank = LowRankConfig.parse(options);
        boolean dora = options.flag("use_dora", false);
        Init init = Init.parse(options);
        boolean bias = options.flag("lora_bias", false);
        LowRankConfig.takeOthers(options);
        if (bias && (dora || (init != Init.DEFAULT && init != Init.RANDOM))) {
            throw new LoricaException.BadInput(
                    options.where() + ": key 'lora_bias' is true, which works only without use_dora "
                            + "and with init_lora_weights true or false; set it to false");
        }
        return new LoraConfig(lowRank, dora, init, bias);
    }

    LoraConfig withInit(Init other) {
        return new LoraConfig(lowRank, dora, other, bias);
    }

    @Override
    public void writeTo(ObjectNode json) {
        lowRank.writeTo(json);
        json.put("use_dora", dora);
        json.set("init_lora_weights", init.json());
        json.put("lora_bias", bias);
    }
}
