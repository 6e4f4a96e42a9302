package io.lorica.tensor;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.Tensor;

/**
 * Symmetric 8 bits with one scale for a row: {@code Q_ij = s_i q_ij}, {@code s_i = max_j |w_ij| / 127}.
 *
 * <p>The group is the whole row, since that is what libtorch's packed product takes. Scales are rounded to bfloat16
 * before the integers are chosen, so that the matrix is the same whatever type the inputs have.
 */
public final class Int8Matrix implements Quantized {
    private static final Aten MULTIPLY = Aten.op("aten::_weight_int8pack_mm", "");

    /** Rows that are quantized at a time. */
    private static final long PART = 2048;

    private final Tensor codes;
    private final Tensor scales;
    private final DType type;

    /**
     * @param codes int8 {@code [rows, columns]}
     * @param scales {@code [rows]} of {@code type}
     */
    private Int8Matrix(Tensor codes, Tensor scales, DType type) {
        this.codes = codes;
        this.scales = scales;
        this.type = type;
    }

    static Int8Matrix quantize(long rows, long columns, RowReader reader, DType type) {
        // libtorch's kernel reads past the end of other widths
        if (!Quantized.fitsInt8(rows, columns)) {
            throw new LoricaException.Internal("int8 needs a multiple of 32 columns, not " + columns);
        }
        Tensor codes;
        Tensor scales;
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            codes = Scope.release(Tensors.empty(DType.I8, rows, columns));
            scales = Scope.release(Tensors.empty(type, rows));
            // in parts, since a vocabulary in float32 several times over would take more than the model
            for (long from = 0; from < rows; from += PART) {
                long count = Math.min(PART, rows - from);
                try (Scope _ = Scope.open()) {
                    quantize(reader.read(from, count), codes.narrow(0, from, count), scales.narrow(0, from, count));
                }
            }
        }
        return new Int8Matrix(codes, scales, type);
    }

    private static void quantize(Tensor weight, Tensor codes, Tensor scales) {
        Tensor wide = Tensors.to(weight, DType.F32);
        Tensor exact = wide.abs().amax(new long[] {1}, true).div(new Scalar(127.0));
        Tensor scale = Tensors.to(Tensors.to(exact, DType.BF16), DType.F32);
        Tensor divisor = scale.masked_fill(scale.eq(new Scalar(0.0)), new Scalar(1.0));
        codes.copy_(wide.div(divisor)
                .round_()
                .clamp_(new ScalarOptional(new Scalar(-127.0)), new ScalarOptional(new Scalar(127.0))));
        scales.copy_(scale.squeeze(1));
    }

    /** {@code q}: int8 {@code [rows, columns]}. */
    public Tensor codes() {
        return codes;
    }

    /** {@code s}: {@code [rows]} of {@link #type()}. */
    public Tensor scales() {
        return scales;
    }

    /** What inputs have. */
    public DType type() {
        return type;
    }

    @Override
    public long rows() {
        return codes.size(0);
    }

    @Override
    public long columns() {
        return codes.size(1);
    }

    @Override
    public String format() {
        return "int8";
    }

    @Override
    public long bytes() {
        return Tensors.bytes(codes) + Tensors.bytes(scales);
    }

    @Override
    public void writeTo(Tensor out) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            out.copy_(codes);
            out.mul_(scales.unsqueeze(1));
        }
    }

    @Override
    public Tensor lookUp(Tensor ids, DType wanted) {
        try (Scope scope = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor rows = Tensors.to(codes.index_select(0, ids), wanted);
            return scope.keep(rows.mul_(scales.index_select(0, ids).unsqueeze(1)));
        }
    }

    /**
     * {@code x Q^T} by libtorch's packed product. Records no gradient.
     *
     * @param x {@code [n, columns]} of {@link #type()}, contiguous
     * @return {@code [n, rows]} in the caller's innermost scope
     */
    public Tensor multiply(Tensor x) {
        try (Grad _ = Grad.disabled()) {
            return MULTIPLY.call(x, codes, scales);
        }
    }

    @Override
    public void close() {
        codes.close();
        scales.close();
    }
}
