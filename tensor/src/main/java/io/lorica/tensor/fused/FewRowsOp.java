package io.lorica.tensor.fused;

import io.lorica.tensor.BlockMatrix;
import io.lorica.tensor.DType;
import io.lorica.tensor.Int4Matrix;
import io.lorica.tensor.Int8Matrix;
import io.lorica.tensor.Quantized;
import io.lorica.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Products of few rows, {@code y = x W^T} with {@code x: [n, in]} and {@code W: [out, in]} in 16, 8 or 4 bits: what
 * decoding consists of. Sums in float32; no gradient.
 *
 * <p>Time is the reading of the weight. For one row in 16 or 8 bits libtorch's products take two to three times as long as
 * the dot products here; those of 4 bits, and of more rows, are its own.
 */
public final class FewRowsOp {
    /** Rows up to which a packed product beats dequantizing the weight and an ordinary product. */
    public static final int MOST = 32;

    private FewRowsOp() {}

    /** Whether {@link #apply(Tensor, Tensor)} takes these: one row and a matrix, contiguous in bfloat16. */
    public static boolean fits(Tensor x, Tensor weight) {
        return x.dim() == 2
                && x.size(0) == 1
                && !x.requires_grad()
                && !weight.requires_grad()
                && Kernels.fit(x, weight)
                && x.scalar_type().intern() == ScalarType.BFloat16
                && weight.scalar_type().intern() == ScalarType.BFloat16
                && weight.is_contiguous()
                && weight.size(1) % Rows.LANES == 0;
    }

    /** @return {@code [1, out]} in the caller's innermost scope */
    public static Tensor apply(Tensor x, Tensor weight) {
        return Dots.bfloat16(x.contiguous(), weight);
    }

    /** Whether there is a product of these that beats dequantizing. */
    public static boolean fits(Tensor x, Quantized weight) {
        return x.dim() == 2
                && x.size(0) <= MOST
                && switch (weight) {
                    case Int8Matrix int8 -> DType.of(x) == int8.type();
                    case Int4Matrix int4 -> DType.of(x) == int4.type();
                    case BlockMatrix _ -> false;
                };
    }

    /**
     * Of those that {@link #fits(Tensor, Quantized) fit}, with recording off.
     *
     * @return {@code [n, out]} in the caller's innermost scope
     */
    public static Tensor apply(Tensor x, Quantized weight) {
        Tensor input = x.contiguous();
        return switch (weight) {
            case Int4Matrix int4 -> int4.multiply(input);
            case Int8Matrix int8 ->
                x.size(0) == 1 && Kernels.fit(x) && Dots.BYTEWISE ? Dots.int8(input, int8) : int8.multiply(input);
            case BlockMatrix blocks ->
                throw new IllegalArgumentException(blocks.format() + " has no packed product; ask fits first");
        };
    }

    /** A result of {@code out} columns for every row of {@code x}. */
    static Tensor empty(Tensor x, long out) {
        return Tensors.empty(DType.of(x), x.size(0), out);
    }
}
