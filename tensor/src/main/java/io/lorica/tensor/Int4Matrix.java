package io.lorica.tensor;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * 4 bits with a scale and a zero for each group of columns of a row: {@code Q = s (q - 8) + z}, {@code s = (max - min) /
 * 15}, {@code z = min + 8 s}, integers {@code q} in 0..15.
 *
 * <p>{@code s} and {@code z} are rounded to bfloat16 before the integers are chosen, so that the matrix is the same
 * whatever type the inputs have. A weight that came from 4-bit blocks of 32 with a minimum (ggml's Q4_1) lies on this
 * grid already, up to that rounding.
 *
 * <p>Held in the layout of libtorch's packed product, which depends on the processor. For AVX-512 it is unpacked here;
 * for others {@link #writeTo} multiplies with the identity, which is right everywhere and slower.
 */
public final class Int4Matrix implements Quantized {
    private static final Aten PACK = Aten.op("aten::_convert_weight_to_int4pack_for_cpu", "");
    private static final Aten MULTIPLY = Aten.op("aten::_weight_int4pack_mm_for_cpu", "");

    /** Rows that the AVX-512 layout keeps together: byte i of a column holds row i below and row 32 + i above. */
    private static final int WIDE = 64;

    private static final boolean AVX512 = layoutIsKnown();

    private final Tensor packed;
    private final Tensor scaleAndZero;
    private final int group;
    private final DType type;

    /**
     * @param packed bytes {@code [rows, columns / 2]}, opaque
     * @param scaleAndZero {@code [columns / group, rows, 2]} of {@code type}
     */
    private Int4Matrix(Tensor packed, Tensor scaleAndZero, int group, DType type) {
        this.packed = packed;
        this.scaleAndZero = scaleAndZero;
        this.group = group;
        this.type = type;
    }

    static Int4Matrix quantize(Tensor weight, int group, DType type) {
        long rows = weight.size(0);
        long columns = weight.size(1);
        if (!Quantized.fitsInt4(rows, columns, group)) {
            throw new LoricaException.Internal(
                    "int4 needs a multiple of 16 rows and of " + group + " columns, not " + rows + " x " + columns);
        }
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor groups = Tensors.to(weight, DType.F32).reshape(rows, columns / group, group);
            Tensor min = groups.amin(new long[] {2}, true);
            Tensor max = groups.amax(new long[] {2}, true);
            Tensor scale = rounded(max.sub(min).div(new Scalar(15.0)));
            Tensor zero = rounded(min.add(scale.mul(new Scalar(8.0))));
            Tensor divisor = scale.masked_fill(scale.eq(new Scalar(0.0)), new Scalar(1.0));
            Tensor codes = groups.sub(zero)
                    .div(divisor)
                    .round_()
                    .add_(new Scalar(8.0))
                    .clamp_(new ScalarOptional(new Scalar(0.0)), new ScalarOptional(new Scalar(15.0)));
            Tensor both = torch.cat(new TensorVector(scale, zero), 2).transpose(0, 1);
            return new Int4Matrix(
                    Scope.release(PACK.call(Tensors.to(codes, DType.I32).view(rows, columns), 1)),
                    Scope.release(Tensors.to(both, type).contiguous()),
                    group,
                    type);
        }
    }

    private static Tensor rounded(Tensor tensor) {
        return Tensors.to(Tensors.to(tensor, DType.BF16), DType.F32);
    }

    /** Whether {@link #unpack} gives back what this processor's libtorch packed: a whole block, and a narrower last one. */
    private static boolean layoutIsKnown() {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            long rows = WIDE + 16;
            Tensor known = torch.arange(new Scalar(rows * 32))
                    .remainder(new Scalar(13))
                    .view(rows, 32);
            Tensor packed = PACK.call(Tensors.to(known, DType.I32), 1);
            return unpack(packed, 0, rows)
                            .t()
                            .eq(known.narrow(0, 0, WIDE))
                            .all()
                            .item_bool()
                    && unpack(packed, WIDE, rows)
                            .t()
                            .eq(known.narrow(0, WIDE, 16))
                            .all()
                            .item_bool();
        }
    }

    /** The integers of the block of rows that begins at {@code first}: bytes {@code [columns, WIDE or the rest]}. */
    private static Tensor unpack(Tensor packed, long first, long rows) {
        long columns = packed.size(1) * 2;
        long width = Math.min(WIDE, rows - first);
        Tensor bytes = packed.view(-1).narrow(0, first * columns / 2, width * columns / 2);
        Tensor pairs = bytes.view(columns, width / 2);
        Tensor low = pairs.bitwise_and(new Scalar(15));
        Tensor high = pairs.bitwise_right_shift(new Scalar(4));
        return width == WIDE
                ? torch.cat(new TensorVector(low, high), 1)
                : torch.stack(new TensorVector(low, high), 2).view(columns, width);
    }

    /** What inputs have. */
    public DType type() {
        return type;
    }

    @Override
    public long rows() {
        return scaleAndZero.size(1);
    }

    @Override
    public long columns() {
        return scaleAndZero.size(0) * group;
    }

    @Override
    public String format() {
        return "int4-" + group;
    }

    @Override
    public long bytes() {
        return Tensors.bytes(packed) + Tensors.bytes(scaleAndZero);
    }

    @Override
    public boolean transposed() {
        return true;
    }

    @Override
    public void writeTo(Tensor out) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            if (!AVX512) {
                out.t().copy_(multiply(torch.eye(columns(), Tensors.options(type))));
                return;
            }
            long whole = rows() / WIDE * WIDE;
            if (whole > 0) {
                writeBlocks(out, whole);
            }
            if (whole < rows()) {
                long rest = rows() - whole;
                place(unpack(packed, whole, rows()).view(1, columns(), rest), out, whole, rest);
            }
        }
    }

    /** All whole blocks at once: what {@link #unpack} does to one. */
    private void writeBlocks(Tensor out, long whole) {
        Tensor pairs = packed.view(-1).narrow(0, 0, whole * columns() / 2).view(whole / WIDE, columns(), WIDE / 2);
        Tensor low = pairs.bitwise_and(new Scalar(15));
        Tensor high = pairs.bitwise_right_shift(new Scalar(4));
        place(torch.cat(new TensorVector(low, high), 2), out, 0, WIDE);
    }

    /** @param codes bytes {@code [blocks, columns, width]} of the rows from {@code first} on */
    private void place(Tensor codes, Tensor out, long first, long width) {
        long blocks = codes.size(0);
        long groups = columns() / group;
        Tensor signed = codes.view(DType.I8.scalarType()).sub_(new Scalar(8));
        DType wanted = DType.of(out);
        Tensor factors = Tensors.to(scaleAndZero, wanted)
                .narrow(1, first, blocks * width)
                .view(groups, 1, blocks, width, 2);
        Tensor target = out.t()
                .narrow(1, first, blocks * width)
                .view(groups, group, blocks, width)
                .permute(2, 0, 1, 3);
        Tensor scale = factors.select(4, 0).permute(2, 0, 1, 3);
        Tensor zero = factors.select(4, 1).permute(2, 0, 1, 3);
        Tensor q = Tensors.to(signed, wanted).view(blocks, groups, group, width);
        torch.addcmul_out(target, zero, q, scale);
    }

    @Override
    public Tensor lookUp(Tensor ids, DType wanted) {
        try (Scope scope = Scope.open();
                Grad _ = Grad.disabled()) {
            return scope.keep(dense(wanted).index_select(0, ids));
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
            return MULTIPLY.call(x, packed, group, scaleAndZero);
        }
    }

    @Override
    public void close() {
        packed.close();
        scaleAndZero.close();
    }
}
