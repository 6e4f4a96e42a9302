package io.lorica.tensor.fused;

import io.lorica.tensor.Int8Matrix;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import org.bytedeco.pytorch.Tensor;

/** Products of one row with a matrix whose rows lie one after another: a dot product for each output. */
final class Dots {
    /** Outputs that one call of a kernel computes: a call costs as much as some of them. */
    private static final int BLOCK = 64;

    /** Whether as many bytes as {@link Rows#LANES} are a vector of their own. */
    static final boolean BYTEWISE = Lanes.BYTES.length() == Rows.LANES;

    private Dots() {}

    static Tensor bfloat16(Tensor x, Tensor weight) {
        Rows memory = new Rows(weight);
        return product(x, weight.size(0), (block, n, b) -> dots(memory, block, n, b));
    }

    static Tensor int8(Tensor x, Int8Matrix weight) {
        MemorySegment memory = Rows.memory(weight.codes(), weight.codes().numel());
        Rows scales = new Rows(weight.scales());
        return product(x, weight.rows(), (block, n, b) -> dots(memory, scales, block, n, b));
    }

    /** @param kernel puts {@code n} outputs of a block into its second array, from the row in its first */
    private static Tensor product(Tensor x, long out, Kernels.RowKernel kernel) {
        int in = (int) x.size(1);
        Tensor y = FewRowsOp.empty(x, out);
        Rows into = new Rows(y);
        float[] row = Rows.scratch(in);
        new Rows(x).read(0, in, row);
        Kernels.parallel((out + BLOCK - 1) / BLOCK, (long) BLOCK * in, (from, to) -> {
            float[][] buffers = {row, new float[BLOCK], new float[BLOCK]};
            for (long block = from; block < to; block++) {
                int n = (int) Math.min(BLOCK, out - block * BLOCK);
                Kernels.call(kernel, (int) block, n, buffers);
                into.write(block * BLOCK, n, buffers[1]);
            }
        });
        return y;
    }

    private static void dots(Rows memory, int block, int n, float[][] b) {
        float[] x = b[0];
        long at = (long) block * BLOCK * x.length;
        for (int r = 0; r < n; r++) {
            FloatVector even = Lanes.broadcast(0);
            FloatVector odd = Lanes.broadcast(0);
            int i = 0;
            for (; i < x.length - Rows.LANES; i += 2 * Rows.LANES) {
                even = memory.vector(at + i).fma(FloatVector.fromArray(Rows.FLOATS, x, i), even);
                odd = memory.vector(at + i + Rows.LANES)
                        .fma(FloatVector.fromArray(Rows.FLOATS, x, i + Rows.LANES), odd);
            }
            if (i < x.length) {
                even = memory.vector(at + i).fma(FloatVector.fromArray(Rows.FLOATS, x, i), even);
            }
            b[1][r] = Lanes.sum(even.add(odd));
            at += x.length;
        }
    }

    private static void dots(MemorySegment memory, Rows scales, int block, int n, float[][] b) {
        float[] x = b[0];
        long at = (long) block * BLOCK * x.length;
        scales.read((long) block * BLOCK, n, b[2]);
        for (int r = 0; r < n; r++) {
            FloatVector even = Lanes.broadcast(0);
            FloatVector odd = Lanes.broadcast(0);
            for (int i = 0; i < x.length; i += 2 * Rows.LANES) {
                even = Lanes.codes(memory, at + i).fma(FloatVector.fromArray(Rows.FLOATS, x, i), even);
                odd = Lanes.codes(memory, at + i + Rows.LANES)
                        .fma(FloatVector.fromArray(Rows.FLOATS, x, i + Rows.LANES), odd);
            }
            b[1][r] = b[2][r] * Lanes.sum(even.add(odd));
            at += x.length;
        }
    }
}
