package io.lorica.adapter.pissa;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.Options;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.tensor.LoricaException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Settings of PiSSA.
 *
 * @param iterations power iterations of the randomized decomposition, or {@link #EXACT}
 */
record PissaConfig(LowRankConfig lowRank, int iterations) implements MethodConfig {
    static final int EXACT = -1;
    static final String INIT = "init_lora_weights";
    private static final Pattern FAST = Pattern.compile("pissa_niter_(\\d{1,3})");

    static PissaConfig parse(Options options) {
        LowRankConfig lowRank = LowRankConfig.parse(options);
        LowRankConfig.takeVariants(options);
        JsonNode init = options.take(INIT).orElse(TextNode.valueOf("pissa"));
        Matcher fast = FAST.matcher(init.asText());
        if (!fast.matches() && !init.asText().equals("pissa")) {
            throw options.wrong(INIT, init, "\"pissa\" or \"pissa_niter_N\" with N power iterations");
        }
        if (lowRank.dropout() > 0) {
            throw new LoricaException.BadInput(
                    options.where() + ": key 'lora_dropout' is " + lowRank.dropout()
                            + ", but must be 0 with PiSSA, whose adapter holds the principal part of the weight; remove the key");
        }
        return new PissaConfig(lowRank, fast.matches() ? Integer.parseInt(fast.group(1)) : EXACT);
    }

    @Override
    public void writeTo(ObjectNode json) {
        lowRank.writeTo(json);
        json.put(INIT, iterations == EXACT ? "pissa" : "pissa_niter_" + iterations);
    }
}
