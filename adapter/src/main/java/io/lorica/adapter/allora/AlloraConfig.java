package io.lorica.adapter.allora;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.Options;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.tensor.LoricaException;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;

/**
 * Settings of ALLoRA.
 *
 * @param lowRank rank alone: scale 1, no dropout
 * @param eta largest factor on a gradient, above 0; stands where LoRA has {@code lora_alpha / r}; default 2
 * @param rule {@code allora_rule}: what the factor depends on; default {@code weight_row}
 * @param update {@code apply_to} {@code "update"}: scale AdamW's step of B's rows and leave gradients alone, since AdamW
 *     takes constant factors out of gradients (an extension, not in the paper); default {@code "gradient"}
 */
record AlloraConfig(LowRankConfig lowRank, double eta, Rule rule, boolean update) implements MethodConfig {

    /** What the factors depend on. */
    enum Rule {
        /** Norms of the rows of {@code B A}: the method. */
        WEIGHT_ROW,
        /** Always {@code eta}. */
        CONSTANT,
        /** Always 1: LoRA without scale and dropout. */
        NONE,
        /** The entries of {@code B A x}, for each token apart. */
        OUTPUT,
        /** The rows of A and of B by their own norms, as optimizers do that cite the paper. */
        FACTOR_ROW;

        String key() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    static AlloraConfig parse(Options options) {
        int r = options.integer("r", 8, 1, 1 << 16);
        options.number("lora_alpha", r, r, r);
        options.number("lora_dropout", 0, 0, 0);
        LowRankConfig lowRank = new LowRankConfig(
                r, r, 0, false, new LinkedHashMap<>(), new LinkedHashMap<>(), options.flag("fan_in_fan_out", false));
        List<String> rules = Arrays.stream(Rule.values()).map(Rule::key).toList();
        AlloraConfig config = new AlloraConfig(
                lowRank,
                options.number("eta", 2, 1e-9, 1e9),
                Rule.valueOf(options.choice("allora_rule", "weight_row", rules).toUpperCase(Locale.ROOT)),
                options.choice("apply_to", "gradient", List.of("gradient", "update"))
                        .equals("update"));
        if (config.update && config.rule == Rule.OUTPUT) {
            throw new LoricaException.BadInput(options.where() + ": allora_rule \"output\" depends on tokens, and the"
                    + " optimizer's step has none; use it with apply_to \"gradient\"");
        }
        return config;
    }

    @Override
    public void writeTo(ObjectNode json) {
        lowRank.writeTo(json);
        json.put("eta", eta);
        json.put("allora_rule", rule.key());
        json.put("apply_to", update ? "update" : "gradient");
    }
}
