package io.lorica.adapter.loraxs;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.Options;
import io.lorica.adapter.lowrank.LowRankConfig;

/**
 * Settings of LoRA-XS.
 *
 * @param sigma deviation of R at the start
 * @param precondition whether the gradient of R is replaced by the one that is best for the weight
 */
record LoraXsConfig(LowRankConfig lowRank, double sigma, boolean precondition) implements MethodConfig {

    static LoraXsConfig parse(Options options) {
        LowRankConfig lowRank = LowRankConfig.parse(options);
        LowRankConfig.takeVariants(options);
        return new LoraXsConfig(lowRank, options.number("sigma", 1e-5, 0, 1), options.flag("precondition", false));
    }

    /** Not in any file: a finished adapter is plain LoRA. Written for the identity of a run. */
    @Override
    public void writeTo(ObjectNode json) {
        lowRank.writeTo(json);
        json.put("sigma", sigma);
        json.put("precondition", precondition);
    }
}
