package io.lorica.adapter;

import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How adapters are merged.
 *
 * @param dtype precision the merged weights are rounded to
 * @param prompts token ids on which overlay and merged logits are compared; empty for a few drawn from the vocabulary
 * @param tolerance largest allowed change of a logit, as a fraction of the largest absolute logit; null for
 *     {@link #tolerance(DType)}
 */
public record MergeOptions(
        DType dtype, List<long[]> prompts, @Nullable Double tolerance) {

    public static MergeOptions of(DType dtype) {
        return new MergeOptions(dtype, List.of(), null);
    }

    public MergeOptions withPrompts(List<long[]> tokens) {
        return new MergeOptions(dtype, tokens, tolerance);
    }

    public MergeOptions withTolerance(double fraction) {
        return new MergeOptions(dtype, prompts, fraction);
    }

    double allowed() {
        return tolerance != null ? tolerance : tolerance(dtype);
    }

    /** 1e-4 for float32, 1e-2 for float16, 5e-2 for bfloat16 (eight bits of mantissa through every layer). */
    public static double tolerance(DType dtype) {
        return switch (dtype) {
            case F32, F64 -> 1e-4;
            case F16 -> 1e-2;
            case BF16 -> 5e-2;
            default ->
                throw new LoricaException.Unsupported(
                        "weights cannot be merged into " + dtype + "; choose float32, bfloat16 or float16");
        };
    }
}
