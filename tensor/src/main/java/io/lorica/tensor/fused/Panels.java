package io.lorica.tensor.fused;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * Products of low-rank factors with {@link #ROWS} rows at a time, so that a factor is read once for all of them. Factors are
 * stored rank by rank, {@code [rank, n]} with {@code n} a whole number of vectors.
 *
 * <p>Kernels as {@link Kernels.RowKernel}, whose first argument is the rank. Buffers: the rows {@code [ROWS, n]}, the
 * factor, and {@code h: [ROWS, rank]}, all float32.
 */
final class Panels {
    static final int ROWS = 4;

    private Panels() {}

    /** {@code h = x factor^T}. */
    static void dots(int rank, int n, float[][] b) {
        float[] x = b[0];
        float[] f = b[1];
        float[] h = b[2];
        for (int j = 0; j < rank; j += 2) {
            int one = j * n;
            int two = j + 1 < rank ? one + n : one;
            FloatVector a0 = Lanes.broadcast(0);
            FloatVector a1 = a0;
            FloatVector a2 = a0;
            FloatVector a3 = a0;
            FloatVector b0 = a0;
            FloatVector b1 = a0;
            FloatVector b2 = a0;
            FloatVector b3 = a0;
            for (int i = 0; i < n; i += Rows.LANES) {
                FloatVector f1 = FloatVector.fromArray(Rows.FLOATS, f, one + i);
                FloatVector f2 = FloatVector.fromArray(Rows.FLOATS, f, two + i);
                FloatVector x0 = FloatVector.fromArray(Rows.FLOATS, x, i);
                a0 = x0.fma(f1, a0);
                b0 = x0.fma(f2, b0);
                FloatVector x1 = FloatVector.fromArray(Rows.FLOATS, x, n + i);
                a1 = x1.fma(f1, a1);
                b1 = x1.fma(f2, b1);
                FloatVector x2 = FloatVector.fromArray(Rows.FLOATS, x, 2 * n + i);
                a2 = x2.fma(f1, a2);
                b2 = x2.fma(f2, b2);
                FloatVector x3 = FloatVector.fromArray(Rows.FLOATS, x, 3 * n + i);
                a3 = x3.fma(f1, a3);
                b3 = x3.fma(f2, b3);
            }
            h[j] = Lanes.sum(a0);
            h[rank + j] = Lanes.sum(a1);
            h[2 * rank + j] = Lanes.sum(a2);
            h[3 * rank + j] = Lanes.sum(a3);
            if (j + 1 < rank) {
                h[j + 1] = Lanes.sum(b0);
                h[rank + j + 1] = Lanes.sum(b1);
                h[2 * rank + j + 1] = Lanes.sum(b2);
                h[3 * rank + j + 1] = Lanes.sum(b3);
            }
        }
    }

    /** {@code x += h factor}. */
    static void mix(int rank, int n, float[][] b) {
        float[] x = b[0];
        float[] f = b[1];
        float[] h = b[2];
        for (int i = 0; i < n; i += Rows.LANES) {
            FloatVector x0 = FloatVector.fromArray(Rows.FLOATS, x, i);
            FloatVector x1 = FloatVector.fromArray(Rows.FLOATS, x, n + i);
            FloatVector x2 = FloatVector.fromArray(Rows.FLOATS, x, 2 * n + i);
            FloatVector x3 = FloatVector.fromArray(Rows.FLOATS, x, 3 * n + i);
            for (int j = 0; j < rank; j++) {
                FloatVector v = FloatVector.fromArray(Rows.FLOATS, f, j * n + i);
                x0 = v.fma(Lanes.broadcast(h[j]), x0);
                x1 = v.fma(Lanes.broadcast(h[rank + j]), x1);
                x2 = v.fma(Lanes.broadcast(h[2 * rank + j]), x2);
                x3 = v.fma(Lanes.broadcast(h[3 * rank + j]), x3);
            }
            x0.intoArray(x, i);
            x1.intoArray(x, n + i);
            x2.intoArray(x, 2 * n + i);
            x3.intoArray(x, 3 * n + i);
        }
    }

    /**
     * {@code g += h^T x} over the {@code count} rows of x: {@code [count, n]} and h: {@code [count, rank]}. Buffers: x, h, and
     * {@code g: [rank, n]}.
     */
    static void outer(int rank, int n, int count, float[][] b) {
        float[] x = b[0];
        float[] h = b[1];
        float[] g = b[2];
        for (int j = 0; j < rank; j += 4) {
            int j1 = Math.min(j + 1, rank - 1);
            int j2 = Math.min(j + 2, rank - 1);
            int j3 = Math.min(j + 3, rank - 1);
            for (int i = 0; i < n; i += Rows.LANES) {
                FloatVector g0 = FloatVector.fromArray(Rows.FLOATS, g, j * n + i);
                FloatVector g1 = FloatVector.fromArray(Rows.FLOATS, g, j1 * n + i);
                FloatVector g2 = FloatVector.fromArray(Rows.FLOATS, g, j2 * n + i);
                FloatVector g3 = FloatVector.fromArray(Rows.FLOATS, g, j3 * n + i);
                for (int row = 0; row < count; row++) {
                    FloatVector v = FloatVector.fromArray(Rows.FLOATS, x, row * n + i);
                    int at = row * rank;
                    g0 = v.fma(Lanes.broadcast(h[at + j]), g0);
                    g1 = v.fma(Lanes.broadcast(h[at + j1]), g1);
                    g2 = v.fma(Lanes.broadcast(h[at + j2]), g2);
                    g3 = v.fma(Lanes.broadcast(h[at + j3]), g3);
                }
                // Where the rank is no multiple of four, the last of them is the same one several times.
                g3.intoArray(g, j3 * n + i);
                g2.intoArray(g, j2 * n + i);
                g1.intoArray(g, j1 * n + i);
                g0.intoArray(g, j * n + i);
            }
        }
    }

    /** {@code [rows, columns]} turned to {@code [columns, rows]}. */
    static void turn(float[] from, int rows, int columns, float[] to) {
        if (rows % Rows.LANES != 0) {
            for (int c = 0; c < columns; c++) {
                for (int r = 0; r < rows; r++) {
                    to[c * rows + r] = from[r * columns + c];
                }
            }
            return;
        }
        int[] places = new int[Rows.LANES];
        Arrays.setAll(places, lane -> lane * columns);
        for (int r = 0; r < rows; r += Rows.LANES) {
            for (int c = 0; c < columns; c++) {
                FloatVector.fromArray(Rows.FLOATS, from, r * columns + c, places, 0)
                        .intoArray(to, c * rows + r);
            }
        }
    }
}
