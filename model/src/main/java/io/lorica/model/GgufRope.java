package io.lorica.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.GgufFile;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;

/**
 * Rotary settings of a GGUF file as {@code rope_theta} and {@code rope_scaling}.
 *
 * <p>Linear and YaRN scaling stand in the metadata. Llama 3.1's does not: the converter writes a tensor
 * {@code rope_freqs.weight} with the divisor of each frequency. Its largest value is {@code factor}; with the other three
 * settings of all published Llama 3 models (1, 4, 8192) the divisors are computed again and must come out equal.
 */
final class GgufRope {
    static final String DIVISORS = "rope_freqs.weight";
    private static final double LOW = 1;
    private static final double HIGH = 4;
    private static final double ORIGINAL = 8192;
    private static final double TOLERANCE = 1e-3;

    private GgufRope() {}

    static void describe(GgufValues values, String prefix, long headDim, GgufFile file, ObjectNode config) {
        long rotated = values.integer(prefix + "rope.dimension_count", headDim);
        if (rotated != headDim) {
            throw new LoricaException.Unsupported(
                    values.where() + ": only " + rotated + " of " + headDim + " coordinates of a head are rotated ("
                            + prefix + "rope.dimension_count), which is not supported");
        }
        double theta = values.number(prefix + "rope.freq_base", 10000);
        config.put("rope_theta", theta);
        String scaling = prefix + "rope.scaling.";
        String type = values.values().containsKey(scaling + "type") ? values.text(scaling + "type") : "none";
        if (values.number(scaling + "attn_factor", 1) != 1) {
            throw new LoricaException.Unsupported(
                    values.where() + ": metadata '" + scaling + "attn_factor' other than 1 is not supported");
        }
        switch (type) {
            case "none" -> {
                if (file.names().contains(DIVISORS)) {
                    llama3(values.where(), theta, headDim, file, config);
                }
            }
            case "linear" ->
                config.putObject("rope_scaling")
                        .put("rope_type", "linear")
                        .put("factor", values.number(scaling + "factor"));
            case "yarn" ->
                config.putObject("rope_scaling")
                        .put("rope_type", "yarn")
                        .put("factor", values.number(scaling + "factor"))
                        .put("original_max_position_embeddings", values.integer(scaling + "original_context_length"));
            default ->
                throw new LoricaException.Unsupported(values.where() + ": metadata '" + scaling + "type' is '" + type
                        + "', which is not supported (known: none, linear, yarn)");
        }
    }

    private static void llama3(String where, double theta, long headDim, GgufFile file, ObjectNode config) {
        float[] divisors;
        try (Scope _ = Scope.open()) {
            divisors = Tensors.floats(file.read(DIVISORS));
        }
        double factor = 1;
        for (float divisor : divisors) {
            factor = Math.max(factor, divisor);
        }
        boolean equal = divisors.length == headDim / 2;
        for (int i = 0; equal && i < divisors.length; i++) {
            double expected = divisor(Math.pow(theta, -2.0 * i / headDim), factor);
            equal = Math.abs(divisors[i] - expected) <= TOLERANCE * expected;
        }
        if (!equal) {
            throw new LoricaException.Unsupported(where + ": tensor '" + DIVISORS
                    + "' is not Llama 3's scaling of the rotary frequencies, the only one Lorica knows in this form; "
                    + "use the model's Hugging Face directory instead");
        }
        config.putObject("rope_scaling")
                .put("rope_type", "llama3")
                .put("factor", factor)
                .put("low_freq_factor", LOW)
                .put("high_freq_factor", HIGH)
                .put("original_max_position_embeddings", (int) ORIGINAL);
    }

    /** What Llama 3.1 divides a frequency by. */
    static double divisor(double frequency, double factor) {
        double wave = 2 * Math.PI / frequency;
        if (wave < ORIGINAL / HIGH) {
            return 1;
        }
        if (wave > ORIGINAL / LOW) {
            return factor;
        }
        double smooth = (ORIGINAL / wave - LOW) / (HIGH - LOW);
        return 1 / ((1 - smooth) / factor + smooth);
    }
}
