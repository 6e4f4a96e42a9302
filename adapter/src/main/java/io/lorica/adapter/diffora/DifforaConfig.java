package io.lorica.adapter.diffora;

import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.MethodInfo;
import io.lorica.adapter.Options;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.tensor.LoricaException;
import java.util.List;

/**
 * Settings of DiffoRA. The paper's text was not at hand; what its abstract leaves open is ours, as marked.
 *
 * @param lowRank rank (8), {@code lora_alpha} (16, ours) and dropout; one rank for all sites
 * @param keepRatio {@code keep_ratio}: share of the sites that keep an adapter of their own; default 0.5 (ours)
 * @param global {@code scope}: {@code "layer"} keeps that share in each layer, {@code "global"} over the model; layer
 * @param softmax {@code relaxation}: {@code "sigmoid"} of each logit, or {@code "softmax"} over a layer's times their
 *     number; sigmoid
 * @param searchSteps {@code search_steps} of stage 1; 0 takes a fifth of the run
 * @param warmup {@code search_warmup}: steps before the logits move; default 100 (ours), at most half of the search
 * @param archRate {@code arch_lr} of Adam on the logits, whose betas are 0.5 and 0.999 as in DARTS; default 1e-2 (ours)
 * @param archBatch {@code arch_batch_size}: examples of a step of the logits; default 8 (ours)
 * @param share what sites without a pair of their own use; see {@link Share}
 * @param restart whether kept pairs start anew after the search; else they go on, with B times its relaxed factor
 * @param validation {@code val_fraction}: share of the training examples that the logits learn from; default 0.5
 */
record DifforaConfig(
        LowRankConfig lowRank,
        double keepRatio,
        boolean global,
        boolean softmax,
        int searchSteps,
        int warmup,
        double archRate,
        int archBatch,
        Share share,
        boolean restart,
        double validation)
        implements MethodConfig {

    /** What sites that were not chosen use. */
    enum Share {
        /** One pair for all sites of a kind. */
        KIND,
        /** One B for all sites of a kind, each with its own A. */
        KIND_B,
        /** Nothing. */
        NONE;

        String key() {
            return this == KIND_B ? "kind_B" : this == KIND ? "kind" : "none";
        }
    }

    static final List<MethodInfo.Key> KEYS = List.of(
            new MethodInfo.Key("r", "8", "rank of every pair"),
            new MethodInfo.Key("lora_alpha", "16", "the update is scaled by lora_alpha / r"),
            new MethodInfo.Key("lora_dropout", "0.0", "dropout of the branch's input"),
            new MethodInfo.Key("keep_ratio", "0.5", "share of the sites that keep a pair of their own"),
            new MethodInfo.Key("scope", "layer", "layer: that share in each layer; global: over the model"),
            new MethodInfo.Key("relaxation", "sigmoid", "sigmoid, or softmax over a layer"),
            new MethodInfo.Key("search_steps", "0", "steps of the search; 0: a fifth of the run"),
            new MethodInfo.Key("search_warmup", "100", "steps before the matrix moves; at most half the search"),
            new MethodInfo.Key("arch_lr", "0.01", "learning rate of the matrix"),
            new MethodInfo.Key("arch_batch_size", "8", "examples of a step of the matrix"),
            new MethodInfo.Key("share", "kind", "what other sites use: kind, kind_B or none"),
            new MethodInfo.Key("restart", "true", "start the kept pairs anew after the search"),
            new MethodInfo.Key("val_fraction", "0.5", "share of the examples that the matrix learns from"),
            new MethodInfo.Key("fan_in_fan_out", "false", "for PEFT: weights are stored [in, out]"));

    static DifforaConfig parse(Options options) {
        options.otherwise("lora_alpha", IntNode.valueOf(16));
        LowRankConfig lowRank = LowRankConfig.parse(options);
        if (!lowRank.rankPattern().isEmpty() || !lowRank.alphaPattern().isEmpty()) {
            throw new LoricaException.BadInput(options.where() + ": rank_pattern and alpha_pattern do not go with"
                    + " diffora, where sites of a kind may share a pair; leave them out");
        }
        List<String> shares = List.of("kind", "kind_B", "none");
        return new DifforaConfig(
                lowRank,
                options.number("keep_ratio", 0.5, 1e-6, 1),
                options.choice("scope", "layer", List.of("layer", "global")).equals("global"),
                options.choice("relaxation", "sigmoid", List.of("sigmoid", "softmax"))
                        .equals("softmax"),
                options.integer("search_steps", 0, 0, Integer.MAX_VALUE),
                options.integer("search_warmup", 100, 0, Integer.MAX_VALUE),
                options.number("arch_lr", 1e-2, 1e-12, 100),
                options.integer("arch_batch_size", 8, 1, 1 << 16),
                Share.values()[shares.indexOf(options.choice("share", "kind", shares))],
                options.flag("restart", true),
                options.number("val_fraction", 0.5, 0.01, 0.99));
    }

    /** Steps of stage 1 in a run of {@code total}; at least 1 and less than all. */
    long search(long total) {
        return searchSteps > 0 ? searchSteps : Math.max(1, total / 5);
    }

    /** First step at which the logits move. */
    long moving(long total) {
        return Math.min(warmup, search(total) / 2);
    }

    @Override
    public void writeTo(ObjectNode json) {
        lowRank.writeTo(json);
        json.put("keep_ratio", keepRatio);
        json.put("scope", global ? "global" : "layer");
        json.put("relaxation", softmax ? "softmax" : "sigmoid");
        json.put("search_steps", searchSteps);
        json.put("search_warmup", warmup);
        json.put("arch_lr", archRate);
        json.put("arch_batch_size", archBatch);
        json.put("share", share.key());
        json.put("restart", restart);
        json.put("val_fraction", validation);
    }
}
