package io.lorica.adapter.nola;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.MethodConfig;
import io.lorica.adapter.Options;
import io.lorica.adapter.lowrank.LowRankConfig;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.SeededBasis;
import java.util.List;

/**
 * Settings of NOLA; keys as in the authors' fork of PEFT where it has them.
 *
 * @param r rank of the factors, from 1; default 8. It does not change how much is trained
 * @param alpha {@code lora_alpha}: the update is scaled by {@code alpha / r}; default 8, for the vision form 1
 * @param dropout {@code lora_dropout} of the branch's input, from 0 to below 1; default 0
 * @param basesA {@code nola_num_basis} random matrices for A, default 128; {@code ka} for the vision form, default 1024
 * @param basesB the same for B ({@code kb})
 * @param seed {@code nola_seed}: brings back the random matrices of all sites; default 0
 * @param vision {@code nola_variant: "vit"} instead of {@code "lm"}
 * @param asLora {@code save_as: "lora"}: save the equal LoRA instead of coefficients and seed
 */
record NolaConfig(int r, double alpha, double dropout, int basesA, int basesB, int seed, boolean vision, boolean asLora)
        implements MethodConfig {
    private static final int MAX = 1 << 20;

    static NolaConfig parse(Options options) {
        boolean vision =
                options.choice("nola_variant", "lm", List.of("lm", "vit")).equals("vit");
        int basis = vision ? 0 : options.integer("nola_num_basis", 128, 1, MAX);
        NolaConfig config = new NolaConfig(
                options.integer("r", 8, 1, 1 << 16),
                options.number("lora_alpha", vision ? 1 : 8, 0, 1e6),
                options.number("lora_dropout", 0, 0, 0.999),
                vision ? options.integer("ka", 1024, 1, MAX) : basis,
                vision ? options.integer("kb", 1024, 1, MAX) : basis,
                options.integer("nola_seed", 0, 0, Integer.MAX_VALUE),
                vision,
                options.choice("save_as", "compact", List.of("compact", "lora")).equals("lora"));
        options.take("nola_check").ifPresent(check -> config.requireSameNumbers(check, options.where()));
        return config;
    }

    private void requireSameNumbers(JsonNode check, String where) {
        double drawn = SeededBasis.fingerprint(seed);
        if (check.doubleValue() != drawn) {
            throw new LoricaException.Incompatible(where + ": key 'nola_check' is " + check + ", but nola_seed " + seed
                    + " gives " + drawn + " here: another generator would mix other matrices; use the version it was"
                    + " trained with, and export it as plain LoRA there");
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
        json.put("lora_alpha", alpha);
        json.put("lora_dropout", dropout);
        json.put("nola_variant", vision ? "vit" : "lm");
        if (vision) {
            json.put("ka", basesA);
            json.put("kb", basesB);
        } else {
            json.put("nola_num_basis", basesA);
        }
        json.put("nola_seed", seed);
        json.put("nola_check", SeededBasis.fingerprint(seed));
    }
}
