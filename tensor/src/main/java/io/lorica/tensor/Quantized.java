package io.lorica.tensor;

import org.bytedeco.pytorch.Tensor;

/**
 * A frozen matrix {@code W: [rows, columns]} held in few bits. What it computes with is the dequantized matrix
 * {@code Q}; nothing here has a gradient of its own.
 *
 * <p>Two kinds of product: {@link io.lorica.tensor.fused.FewRowsOp} reads the packed form directly, for few rows of input
 * (decoding), where time is the reading of the weight; for many rows {@link #writeTo} a buffer and an ordinary product are
 * faster.
 */
public sealed interface Quantized extends AutoCloseable permits Int8Matrix, Int4Matrix, BlockMatrix {

    long rows();

    long columns();

    /** As people write it: {@code int8}, {@code int4-32}, {@code nf4}, {@code Q4_1} … */
    String format();

    /** Bytes that the packed form takes, scales included. */
    long bytes();

    /**
     * Writes {@code Q}, computed in float32 or exactly and rounded once to the type of {@code out}.
     *
     * @param out {@code [rows, columns]}; contiguous, or where {@link #transposed()} contiguous after {@code t()}
     */
    void writeTo(Tensor out);

    /** Whether {@link #writeTo} wants its target as the transpose of a contiguous {@code [columns, rows]}. */
    default boolean transposed() {
        return false;
    }

    /** {@code Q} as a new tensor {@code [rows, columns]} in the caller's innermost scope. */
    default Tensor dense(DType type) {
        Tensor out = transposed() ? Tensors.empty(type, columns(), rows()).t() : Tensors.empty(type, rows(), columns());
        writeTo(out);
        return out;
    }

    /**
     * Rows of {@code Q}, as an embedding looks them up.
     *
     * @param ids int64 {@code [n]}
     * @return {@code [n, columns]} of type {@code type}, in the caller's innermost scope
     */
    Tensor lookUp(Tensor ids, DType type);

    /** Frees the packed form. */
    @Override
    void close();

    /**
     * 8 bits: {@code Q_ij = s_i q_ij} with {@code s_i = max_j |w_ij| / 127} and integers {@code q} in -127..127, see
     * {@link Int8Matrix}.
     *
     * @param weight {@code [rows, columns]}; columns a multiple of 32
     * @param type what inputs have: F32, BF16 or F16
     * @return owned by the caller
     */
    static Quantized int8(Tensor weight, DType type) {
        return int8(weight.size(0), weight.size(1), (from, count) -> weight.narrow(0, from, count), type);
    }

    /** As {@link #int8(Tensor, DType)}, of a weight that need not be in memory whole. */
    static Quantized int8(long rows, long columns, RowReader reader, DType type) {
        return Int8Matrix.quantize(rows, columns, reader, type);
    }

    /** Gives consecutive rows of a weight. */
    @FunctionalInterface
    interface RowReader {
        /** @return {@code [count, columns]} of any floating type, in the caller's innermost scope */
        Tensor read(long from, long count);
    }

    /**
     * 4 bits in groups of columns: {@code Q = s (q - 8) + z}, see {@link Int4Matrix}.
     *
     * @param weight {@code [rows, columns]}; rows a multiple of 16, columns of {@code group}
     * @param group 32, 64, 128 or 256
     * @param type what inputs have: F32, BF16 or F16
     * @return owned by the caller
     */
    static Quantized int4(Tensor weight, int group, DType type) {
        return Int4Matrix.quantize(weight, group, type);
    }

    /**
     * NormalFloat of 4 bits in blocks of 64, see {@link Nf4}.
     *
     * @param weight {@code [rows, columns]}; columns a multiple of 64
     * @return owned by the caller
     */
    static Quantized nf4(Tensor weight) {
        return Nf4.quantize(weight);
    }

    /** Whether a matrix of this shape can be held so; otherwise the factory of that name refuses it. */
    static boolean fitsInt8(long rows, long columns) {
        return rows > 0 && columns > 0 && columns % 32 == 0;
    }

    /** As {@link #fitsInt8}. */
    static boolean fitsInt4(long rows, long columns, int group) {
        return rows > 0 && columns > 0 && rows % 16 == 0 && columns % group == 0;
    }

    /** As {@link #fitsInt8}. */
    static boolean fitsNf4(long rows, long columns) {
        return rows > 0 && columns > 0 && columns % Nf4.BLOCK == 0;
    }

    /** {@code |W - Q|_F / |W|_F}: what quantizing took, as a fraction of the weight. */
    static double error(Tensor weight, Tensor dequantized) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor exact = Tensors.to(weight, DType.F32);
            double size = exact.norm().item_double();
            return size == 0
                    ? 0
                    : exact.sub(Tensors.to(dequantized, DType.F32)).norm().item_double() / size;
        }
    }
}
