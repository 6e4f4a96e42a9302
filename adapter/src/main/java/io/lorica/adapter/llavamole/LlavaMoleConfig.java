package io.lorica.adapter.llavamole;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.Options;
import io.lorica.adapter.SiteShape;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.adapter.moe.Balance;
import io.lorica.adapter.moe.RoutedBlocks;
import io.lorica.adapter.moe.Router;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * Settings of LLaVA-MoLE.
 *
 * @param lora of attention and of each expert: {@code r} 32, {@code lora_alpha} 64, {@code lora_dropout} 0.05
 * @param experts {@code num_experts}; default 3
 * @param mode {@code router_mode}; default {@link Mode#SPARSE_ST}
 * @param coefficient {@code moe_balance_w}, factor on {@link #balance}, from 0; default 0.01
 */
record LlavaMoleConfig(LowRankConfig lora, int experts, Mode mode, double coefficient) implements MethodConfig {

    /** What a token gets from the experts. */
    enum Mode {
        /** The likeliest expert's update as it is (the paper); the router learns from the balance loss alone. */
        SPARSE(Router.Shares.ONE),
        /** The same value, with the gradient of the expert's probability: ours. */
        SPARSE_ST(Router.Shares.STRAIGHT_THROUGH),
        /** All experts' updates by their probabilities (the released code when answering). */
        DENSE(Router.Shares.PROBABILITY);

        private final Router.Shares shares;

        Mode(Router.Shares shares) {
            this.shares = shares;
        }

        Router.Shares shares() {
            return shares;
        }

        String key() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    static LlavaMoleConfig parse(Options options) {
        List<String> modes = Arrays.stream(Mode.values()).map(Mode::key).toList();
        LowRankConfig lora = LowRankConfig.plain(
                options.integer("r", 32, 1, 1 << 16),
                options.number("lora_alpha", 64, 0, 1e6),
                options.number("lora_dropout", 0.05, 0, 0.999));
        String mode = options.choice("router_mode", Mode.SPARSE_ST.key(), modes);
        return new LlavaMoleConfig(
                lora,
                options.integer("num_experts", 3, 1, 1 << 10),
                Mode.values()[modes.indexOf(mode)],
                options.number("moe_balance_w", 0.01, 0, 1e6));
    }

    void validate(List<SiteShape> sites, String where) {
        for (SiteShape site : sites) {
            LowRankConfig.requireLinear(site, "llava-mole", where);
            lora.validate(site, where);
        }
        RoutedBlocks.requireSome(sites, where);
    }

    /** Experts a token visits. */
    int choices() {
        return mode == Mode.DENSE ? experts : 1;
    }

    /** {@code coefficient * mean_samples sum_e f_e P_e}, over the tokens of all layers of a sample; 1 / E where use is even. */
    Balance balance() {
        return experts == 1 ? Balance.NONE : new Balance(coefficient, Balance.Counts.PER_TOKEN, Balance.Groups.SAMPLE);
    }

    @Override
    public void writeTo(ObjectNode json) {
        json.put("r", lora.r());
        json.put("lora_alpha", lora.alpha());
        json.put("lora_dropout", lora.dropout());
        json.put("num_experts", experts);
        json.put("router_mode", mode.key());
        json.put("moe_balance_w", coefficient);
    }
}
