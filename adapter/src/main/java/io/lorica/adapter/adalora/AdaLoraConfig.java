package io.lorica.adapter.adalora;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.Options;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.tensor.LoricaException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/**
 * Settings of AdaLoRA, keys and defaults as in PEFT.
 *
 * @param initR {@code init_r}: rank of every site at the start; default 12 ({@code r} is not used)
 * @param targetR {@code target_r}: average rank at the end; default 8
 * @param tinit steps before pruning begins; default 0
 * @param tfinal steps after it has ended; default 0
 * @param deltaT steps between two prunings; default 1
 * @param beta1 averaging of sensitivities, default 0.85
 * @param beta2 averaging of their uncertainties, default 0.85
 * @param orthogonality {@code orth_reg_weight}: weight of {@code mean ||P P^T - I||} in the loss; default 0.5
 * @param totalStep {@code total_step}; 0 takes the run's own, where PEFT must be told
 * @param alpha {@code lora_alpha}: the update is scaled by {@code alpha / (init_r + 1e-5)}; default 8
 * @param kept {@code rank_pattern}: by site, which of the {@code init_r} triplets a finished adapter kept; empty before
 */
record AdaLoraConfig(
        int initR,
        int targetR,
        int tinit,
        int tfinal,
        int deltaT,
        double beta1,
        double beta2,
        double orthogonality,
        int totalStep,
        double alpha,
        double dropout,
        boolean fanInFanOut,
        SequencedMap<String, boolean[]> kept)
        implements MethodConfig {
    private static final String SUFFIX = ".lora_E";

    static AdaLoraConfig parse(Options options) {
        int any = Integer.MAX_VALUE;
        boolean ownRank = options.take("init_r").isPresent();
        JsonNode r = options.take("r").orElse(null);
        if (r != null && !ownRank) {
            throw new LoricaException.BadInput(options.where() + ": key 'r' is " + r
                    + ", which AdaLoRA does not use; set init_r (rank at the start) and target_r (average at the end)");
        }
        options.take("init_lora_weights"); // false in PEFT changes only the start, and is in the file if anywhere
        options.harmlessOnlyWhenEmpty("use_dora", "learned row norms, which AdaLoRA does not have");
        options.harmlessOnlyWhenEmpty("lora_bias", "a bias of B, which AdaLoRA does not have");
        options.harmlessOnlyWhenEmpty("use_rslora", "another scaling, which AdaLoRA does not have");
        options.harmlessOnlyWhenEmpty("alpha_pattern", "scalings by site, which AdaLoRA does not have");
        LowRankConfig.takeOthers(options);
        AdaLoraConfig config = new AdaLoraConfig(
                options.integer("init_r", 12, 1, 1 << 16),
                options.integer("target_r", 8, 1, 1 << 16),
                options.integer("tinit", 0, 0, any),
                options.integer("tfinal", 0, 0, any),
                options.integer("deltaT", 1, 1, any),
                options.number("beta1", 0.85, 1e-9, 1 - 1e-9),
                options.number("beta2", 0.85, 1e-9, 1 - 1e-9),
                options.number("orth_reg_weight", 0.5, 0, 1e6),
                options.integer("total_step", 0, 0, any),
                options.number("lora_alpha", 8, 0, 1e6),
                options.number("lora_dropout", 0, 0, 0.999),
                options.flag("fan_in_fan_out", false),
                pattern(options));
        config.check(options.where());
        return config;
    }

    private void check(String where) {
        if (targetR > initR) {
            throw new LoricaException.BadInput(where + ": key 'target_r' is " + targetR + ", above init_r " + initR
                    + ", but ranks are only pruned; choose target_r <= init_r");
        }
        if (totalStep > 0) {
            requireSchedule(totalStep, where);
        }
        kept.forEach((site, kept) -> {
            if (kept.length != initR) {
                throw new LoricaException.BadInput(where + ": key 'rank_pattern' has " + kept.length + " entries for "
                        + site + ", but init_r is " + initR);
            }
        });
    }

    /** Refuses a schedule without a step to prune in. */
    void requireSchedule(long total, String where) {
        if (tinit >= total - tfinal) {
            throw new LoricaException.BadInput(where + ": tinit " + tinit + " and tfinal " + tfinal
                    + " leave no step of " + total + " to prune in; lower them, or train longer");
        }
    }

    private static SequencedMap<String, boolean[]> pattern(Options options) {
        SequencedMap<String, boolean[]> kept = new LinkedHashMap<>();
        JsonNode node = options.take("rank_pattern").orElse(null);
        if (node == null) {
            return kept;
        }
        for (Map.Entry<String, JsonNode> entry : node.properties()) {
            String key = entry.getKey().replaceAll("\\.default$", "");
            List<Boolean> flags = new ArrayList<>();
            entry.getValue().forEach(flag -> flags.add(flag.asBoolean()));
            if (!key.endsWith(SUFFIX) || !entry.getValue().isArray()) {
                throw options.wrong("rank_pattern", node, "lists of true and false by names that end in " + SUFFIX);
            }
            boolean[] array = new boolean[flags.size()];
            for (int i = 0; i < array.length; i++) {
                array[i] = flags.get(i);
            }
            kept.put(key.substring(0, key.length() - SUFFIX.length()), array);
        }
        return kept;
    }

    /** {@code alpha / (init_r + 1e-5)}, also after pruning. */
    double scaling() {
        return (alpha > 0 ? alpha : initR) / (initR + 1e-5);
    }

    /** Rank of a site: what a finished adapter kept of it, else {@code init_r}. */
    int rank(String site) {
        boolean[] flags = kept.get(site);
        if (flags == null) {
            return initR;
        }
        int count = 0;
        for (boolean flag : flags) {
            count += flag ? 1 : 0;
        }
        return count;
    }

    /** As trained: with the steps of the run and what was kept. */
    AdaLoraConfig finished(long total, SequencedMap<String, boolean[]> pattern) {
        return new AdaLoraConfig(
                initR,
                targetR,
                tinit,
                tfinal,
                deltaT,
                beta1,
                beta2,
                orthogonality,
                (int) total,
                alpha,
                dropout,
                fanInFanOut,
                pattern);
    }

    @Override
    public void writeTo(ObjectNode json) {
        new LowRankConfig(8, alpha, dropout, false, new LinkedHashMap<>(), new LinkedHashMap<>(), fanInFanOut)
                .writeTo(json);
        json.put("init_r", initR);
        json.put("target_r", targetR);
        json.put("tinit", tinit);
        json.put("tfinal", tfinal);
        json.put("deltaT", deltaT);
        json.put("beta1", beta1);
        json.put("beta2", beta2);
        json.put("orth_reg_weight", orthogonality);
        json.put("total_step", totalStep);
        if (kept.isEmpty()) {
            json.putNull("rank_pattern");
            return;
        }
        ObjectNode pattern = json.putObject("rank_pattern");
        kept.forEach((site, flags) -> {
            ArrayNode array = pattern.putArray(site + SUFFIX);
            for (boolean flag : flags) {
                array.add(flag);
            }
        });
    }
}
