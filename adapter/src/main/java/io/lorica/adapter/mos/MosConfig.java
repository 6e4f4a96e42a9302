package io.lorica.adapter.mos;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.Options;
import io.lorica.adapter.SiteShape;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.SeededBasis;
import java.util.List;

/**
 * Settings of MoS; keys as the flags of the authors' code, {@code r} for its {@code lora_r}.
 *
 * @param r rank that each site uses, from 1; default 4
 * @param budget {@code valid_param_lora_r}: vectors in the pool for each layer, the e of the paper; default 2
 * @param ownRank {@code valid_param_private_r}: how many of a site's vectors are its own; 0 turns privatization off; default 1
 * @param shards {@code num_chunk_per_vec}: shards in a vector; 1 turns sharding off; default 4
 * @param alpha {@code lora_alpha}: the update is scaled by {@code alpha / r}; default 16
 * @param dropout {@code lora_dropout} of the branch's input, from 0 to below 1; default 0.1
 * @param subset {@code subset_selection}: whether each site draws its own shards; else all take the first ones; default true
 * @param dissociated {@code pair_dissociation}: whether A and B draw apart; default true
 * @param seed {@code mos_seed}: brings back the tables of indices; default 0
 * @param asLora {@code save_as: "lora"}: save each site's equal LoRA instead of the pools
 */
record MosConfig(
        int r,
        int budget,
        int ownRank,
        int shards,
        double alpha,
        double dropout,
        boolean subset,
        boolean dissociated,
        int seed,
        boolean asLora)
        implements MethodConfig {
    private static final int MAX = 1 << 16;

    static MosConfig parse(Options options) {
        MosConfig config = new MosConfig(
                options.integer("r", 4, 1, MAX),
                options.integer("valid_param_lora_r", 2, 1, MAX),
                options.integer("valid_param_private_r", 1, 0, MAX),
                options.integer("num_chunk_per_vec", 4, 1, MAX),
                options.number("lora_alpha", 16, 0, 1e6),
                options.number("lora_dropout", 0.1, 0, 0.999),
                options.flag("subset_selection", true),
                options.flag("pair_dissociation", true),
                options.integer("mos_seed", 0, 0, Integer.MAX_VALUE),
                options.choice("save_as", "compact", List.of("compact", "lora")).equals("lora"));
        String where = options.where();
        options.take("mos_check").ifPresent(check -> {
            if (check.doubleValue() != SeededBasis.fingerprint(config.seed)) {
                throw new LoricaException.Incompatible(where + ": key 'mos_check' is " + check + ", but mos_seed "
                        + config.seed + " gives " + SeededBasis.fingerprint(config.seed)
                        + " here: another generator would choose other shards; use the version it was trained with");
            }
        });
        if (config.ownRank > config.budget || (config.ownRank == config.budget && config.r != config.budget)) {
            throw new LoricaException.BadInput(where + ": valid_param_private_r is " + config.ownRank
                    + ", valid_param_lora_r " + config.budget + " and r " + config.r
                    + ": the private rank must be below the budget, or all three equal");
        }
        if (config.ownRank > config.r) {
            throw new LoricaException.BadInput(where + ": valid_param_private_r is " + config.ownRank + ", above r "
                    + config.r + ", the vectors a site has; choose a smaller one");
        }
        return config;
    }

    /** Refuses shards that do not divide the sides of a site. */
    void validate(SiteShape site, String where) {
        if (site.in() % shards != 0 || site.out() % shards != 0) {
            throw new LoricaException.BadInput(where + ": num_chunk_per_vec " + shards + " at " + site.describe()
                    + " does not divide both sides; choose a divisor");
        }
        if (r > Math.min(site.in(), site.out())) {
            throw new LoricaException.BadInput(where + ": r " + r + " at " + site.describe()
                    + " is above the smaller side; choose r <= " + Math.min(site.in(), site.out()));
        }
    }

    /** Refuses a pool whose public part is too small for what each site draws without repetition. */
    void validate(String type, int layers, String where) {
        int drawn = r - ownRank;
        int open = (budget - ownRank) * layers;
        if (drawn > open) {
            throw new LoricaException.BadInput(
                    where + ": each of the " + layers + " sites '" + type + "' of the model draws r - "
                            + "valid_param_private_r = " + drawn + " shared vectors, but their pool has only " + open
                            + "; lower r, or raise valid_param_lora_r");
        }
    }

    double scaling() {
        return alpha / r;
    }

    @Override
    public void writeTo(ObjectNode json) {
        if (asLora) {
            json.put("peft_type", "LORA");
            LowRankConfig.plain(r, alpha, dropout).writeTo(json);
            return;
        }
        json.put("r", r);
        json.put("valid_param_lora_r", budget);
        json.put("valid_param_private_r", ownRank);
        json.put("num_chunk_per_vec", shards);
        json.put("lora_alpha", alpha);
        json.put("lora_dropout", dropout);
        json.put("subset_selection", subset);
        json.put("pair_dissociation", dissociated);
        json.put("mos_seed", seed);
        json.put("mos_check", SeededBasis.fingerprint(seed));
    }
}
