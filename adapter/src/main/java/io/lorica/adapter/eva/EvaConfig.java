package io.lorica.adapter.eva;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.MethodInfo;
import io.lorica.adapter.Options;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.tensor.LoricaException;
import java.util.List;

/**
 * Settings of EVA; the keys of PEFT's {@code eva_config} are taken from there or from beside it.
 *
 * @param rho a site's rank may grow to {@code round(r rho)}; 1 keeps every rank
 * @param tau cosine of a component before and after a batch from which it counts as converged
 * @param targetsOnly {@code use_label_mask}: only inputs at supervised tokens count
 * @param whiten divide each row of A by the root of its singular value
 * @param adjustScaling keep {@code alpha / r} equal on all sites after redistribution
 * @param batch examples of one update
 * @param maxBatches updates after which the start is taken as it is
 * @param fresh whether the start has to be made; false for what a file holds
 */
record EvaConfig(
        LowRankConfig lowRank,
        double rho,
        double tau,
        boolean targetsOnly,
        boolean whiten,
        boolean adjustScaling,
        int batch,
        int maxBatches,
        boolean fresh)
        implements MethodConfig {

    static final String INIT = "init_lora_weights";
    private static final String NESTED = "eva_config";

    static final List<MethodInfo.Key> KEYS = List.of(
            new MethodInfo.Key("rho", "2.0", "a rank may grow to round(r rho); 1 keeps every rank"),
            new MethodInfo.Key("tau", "0.99", "cosine from which a component counts as converged"),
            new MethodInfo.Key("use_label_mask", "true", "only inputs at supervised tokens count"),
            new MethodInfo.Key("whiten", "false", "divide rows of A by the root of their singular value"),
            new MethodInfo.Key("adjust_scaling_factors", "true", "keep lora_alpha / r equal on all sites"),
            new MethodInfo.Key("svd_batch_size", "4", "examples of one update"),
            new MethodInfo.Key("max_batches", "40", "updates after which the start is taken as it is"));

    static EvaConfig parse(Options options) {
        JsonNode stated = options.take(NESTED).orElse(JsonNodeFactory.instance.objectNode());
        if (!(stated instanceof ObjectNode object)) {
            throw options.wrong(NESTED, stated, "an object");
        }
        Options nested = new Options(object, options.where() + ": " + NESTED);
        JsonNode init = options.take(INIT).orElse(TextNode.valueOf("eva"));
        if (!init.asText().equals("eva")) {
            throw options.wrong(INIT, init, "\"eva\"");
        }
        nested.take("label_mask_value"); // Lorica marks tokens, not labels
        EvaConfig config = new EvaConfig(
                LowRankConfig.parse(options),
                options.number("rho", nested.number("rho", 2, 1, 1000), 1, 1000),
                options.number("tau", nested.number("tau", 0.99, 0, 1), 0, 1),
                options.flag("use_label_mask", nested.flag("use_label_mask", true)),
                options.flag("whiten", nested.flag("whiten", false)),
                options.flag("adjust_scaling_factors", nested.flag("adjust_scaling_factors", true)),
                options.integer("svd_batch_size", 4, 1, 1 << 12),
                options.integer("max_batches", 40, 1, 1 << 20),
                true);
        nested.refuseUnknown();
        LowRankConfig.takeVariants(options);
        return config;
    }

    /** {@code round(r rho)} of a site, ties to even as Python rounds. */
    int components(String site) {
        return (int) Math.rint(lowRank.rank(site) * rho);
    }

    EvaConfig finished() {
        return with(lowRank);
    }

    /** The finished configuration with the ranks that were found. */
    EvaConfig with(LowRankConfig found) {
        return new EvaConfig(found, rho, tau, targetsOnly, whiten, adjustScaling, batch, maxBatches, false);
    }

    @Override
    public void writeTo(ObjectNode json) {
        lowRank.writeTo(json);
        json.put(INIT, "eva");
        if (fresh) { // the keys of a run, which no finished file needs
            writeKeys(json);
            json.put("svd_batch_size", batch);
            json.put("max_batches", maxBatches);
        }
        writeKeys(json.putObject(NESTED).put("label_mask_value", -100));
    }

    private void writeKeys(ObjectNode json) {
        json.put("rho", rho)
                .put("tau", tau)
                .put("use_label_mask", targetsOnly)
                .put("whiten", whiten)
                .put("adjust_scaling_factors", adjustScaling);
    }

    /** Refuses more components than a site's input has directions. */
    void requireFits(String site, long in, String description, String where) {
        if (components(site) > in) {
            throw new LoricaException.BadInput(where + ": rank " + lowRank.rank(site) + " times rho " + rho + " at "
                    + description + " asks for more components than its input is wide; choose r * rho <= " + in);
        }
    }
}
