package io.lorica.adapter.loldu;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.MethodInfo;
import io.lorica.adapter.Options;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import java.util.List;

/**
 * Settings of LoLDU.
 *
 * @param r diagonal entries that are trained
 * @param alpha the update is scaled by {@code alpha / r}
 * @param init what the diagonal starts from
 * @param decomposed {@code base_dtype}: dtype of the weights that were decomposed, as a file states it; empty when fresh
 */
record LolduConfig(int r, double alpha, String init, String decomposed) implements MethodConfig {
    private static final List<String> INITS =
            List.of("lu", "uniform", "s_uniform", "normal", "s_normal", "constant", "ones", "zeros");

    static final List<MethodInfo.Key> KEYS = List.of(
            new MethodInfo.Key("r", "8", "diagonal entries that are trained"),
            new MethodInfo.Key("lora_alpha", "r", "the update is scaled by lora_alpha / r"),
            new MethodInfo.Key("init_method", "lu", "start of the diagonal: " + String.join(", ", INITS)),
            new MethodInfo.Key("base_dtype", "\"\"", "in files: dtype of the weights that were decomposed"));

    static LolduConfig parse(Options options) {
        int r = options.integer("r", 8, 1, 1 << 16);
        return new LolduConfig(
                r,
                options.number("lora_alpha", r, 0, 1e6),
                options.choice("init_method", "lu", INITS),
                options.text("base_dtype", ""));
    }

    double scaling() {
        return alpha / r;
    }

    LolduConfig decomposedFrom(DType type) {
        return new LolduConfig(r, alpha, init, type.name());
    }

    /** A decomposition of weights rounded otherwise has other pivots, and the trained diagonal means nothing to it. */
    void requireSameWeights(DType type) {
        if (!decomposed.isEmpty() && !decomposed.equals(type.name())) {
            throw new LoricaException.Incompatible("this LoLDU adapter belongs to a decomposition of " + decomposed
                    + " weights, and the base is open as " + type.name() + "; open it with --dtype "
                    + decomposed.toLowerCase(java.util.Locale.ROOT));
        }
    }

    @Override
    public void writeTo(ObjectNode json) {
        json.put("r", r);
        json.put("lora_alpha", alpha);
        json.put("init_method", init);
        json.put("base_dtype", decomposed);
    }
}
