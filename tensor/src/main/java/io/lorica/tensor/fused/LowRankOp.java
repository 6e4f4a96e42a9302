package io.lorica.tensor.fused;

import java.util.List;
import jdk.incubator.vector.FloatVector;
import org.bytedeco.pytorch.Tensor;

/**
 * Low-rank products of single rows, each row with its own factors: {@code y[row] += factor B (A x[row])}. This is
 * S-LoRA's MBGMV (Sheng et al., 2023, section 5): factors of any rank are read from the pages they lie in, without
 * padding to the largest rank and without a copy. Arithmetic in float32.
 */
public final class LowRankOp {
    private LowRankOp() {}

    /**
     * Part of a product: some of its ranks, together in memory.
     *
     * @param rank how many
     * @param a first element of {@code [rank, in]}
     * @param b first element of {@code [rank, out]}, the other factor turned and scaled
     */
    public record Piece(int rank, long a, long b) {}

    /** A low-rank map {@code [in]} to {@code [out]}, the sum of its pieces. */
    public record Product(Elements memory, int in, int out, List<Piece> pieces) {
        public int rank() {
            return pieces.stream().mapToInt(Piece::rank).sum();
        }
    }

    /** One product with the factor on it. */
    public record Term(Product product, double factor) {}

    /** What is added to one row. */
    public record Row(int row, List<Term> terms) {}

    /** Whether the kernel can compute with these. */
    public static boolean fits(Tensor x, Tensor y) {
        return Kernels.fit(x, y) && x.is_contiguous() && y.is_contiguous();
    }

    /**
     * @param x {@code [T, in]}
     * @param y {@code [T, out]}, added to in place
     * @param rows each at most once
     */
    public static void apply(Tensor x, Tensor y, List<Row> rows) {
        int in = (int) x.size(1);
        int out = (int) y.size(1);
        int most = rows.stream()
                .flatMap(row -> row.terms().stream())
                .flatMap(term -> term.product().pieces().stream())
                .mapToInt(Piece::rank)
                .max()
                .orElse(0);
        Rows from = new Rows(x);
        Rows into = new Rows(y);
        Kernels.parallel(rows.size(), (long) most * (in + out), (first, end) -> {
            float[][] buffers = {
                Rows.scratch(in),
                Rows.scratch(out),
                Rows.scratch(Math.max(in, out)),
                new float[most],
                new float[Rows.LANES]
            };
            for (long i = first; i < end; i++) {
                Row row = rows.get((int) i);
                from.read((long) row.row() * in, in, buffers[0]);
                into.read((long) row.row() * out, out, buffers[1]);
                for (Term term : row.terms()) {
                    for (Piece piece : term.product().pieces()) {
                        add(term.product(), piece, (float) term.factor(), buffers);
                    }
                }
                into.write((long) row.row() * out, out, buffers[1]);
            }
        });
    }

    private static void add(Product product, Piece piece, float factor, float[][] x) {
        Rows memory = product.memory().rows();
        int in = product.in();
        int out = product.out();
        if (in % Rows.LANES == 0 && out % Rows.LANES == 0) {
            Kernels.call((rank, n, b) -> dots(memory, piece.a(), rank, n, factor, b), piece.rank(), in, x);
            Kernels.call((rank, n, b) -> mix(memory, piece.b(), rank, n, b), piece.rank(), out, x);
            return;
        }
        // Rows that are no whole vectors are copied first, and filled up with zeros.
        for (int j = 0; j < piece.rank(); j++) {
            memory.read(piece.a() + (long) j * in, in, x[2]);
            Kernels.call(LowRankOp::dot, j, in, x);
        }
        for (int j = 0; j < piece.rank(); j++) {
            x[3][j] *= factor;
            memory.read(piece.b() + (long) j * out, out, x[2]);
            Kernels.call(LowRankOp::mix, j, out, x);
        }
    }

    /** {@code h = factor A x}, the factor read where it lies. */
    private static void dots(Rows memory, long a, int rank, int n, float factor, float[][] b) {
        float[] x = b[0];
        long at = a;
        for (int j = 0; j < rank; j++) {
            FloatVector even = Lanes.broadcast(0);
            FloatVector odd = Lanes.broadcast(0);
            int i = 0;
            for (; i < n - Rows.LANES; i += 2 * Rows.LANES) {
                even = memory.vector(at + i).fma(FloatVector.fromArray(Rows.FLOATS, x, i), even);
                odd = memory.vector(at + i + Rows.LANES)
                        .fma(FloatVector.fromArray(Rows.FLOATS, x, i + Rows.LANES), odd);
            }
            if (i < n) {
                even = memory.vector(at + i).fma(FloatVector.fromArray(Rows.FLOATS, x, i), even);
            }
            b[3][j] = factor * Lanes.sum(even.add(odd));
            at += n;
        }
    }

    /** {@code y += B h}, the factor read where it lies, four of its ranks at a time. */
    private static void mix(Rows memory, long b, int rank, int n, float[][] x) {
        float[] y = x[1];
        int j = 0;
        for (; j + 3 < rank; j += 4) {
            FloatVector h0 = Lanes.broadcast(x[3][j]);
            FloatVector h1 = Lanes.broadcast(x[3][j + 1]);
            FloatVector h2 = Lanes.broadcast(x[3][j + 2]);
            FloatVector h3 = Lanes.broadcast(x[3][j + 3]);
            long at = b + (long) j * n;
            for (int i = 0; i < n; i += Rows.LANES) {
                FloatVector left = memory.vector(at + i).fma(h0, FloatVector.fromArray(Rows.FLOATS, y, i));
                FloatVector right = memory.vector(at + n + i).mul(h1);
                left = memory.vector(at + 2L * n + i).fma(h2, left);
                right = memory.vector(at + 3L * n + i).fma(h3, right);
                left.add(right).intoArray(y, i);
            }
        }
        for (; j < rank; j++) {
            FloatVector last = Lanes.broadcast(x[3][j]);
            long at = b + (long) j * n;
            for (int i = 0; i < n; i += Rows.LANES) {
                memory.vector(at + i)
                        .fma(last, FloatVector.fromArray(Rows.FLOATS, y, i))
                        .intoArray(y, i);
            }
        }
    }

    /** {@code h[j] = a . x}. */
    private static void dot(int j, int n, float[][] x) {
        int padded = Rows.padded(n);
        FloatVector sum = Lanes.broadcast(0);
        for (int i = 0; i < padded; i += Rows.LANES) {
            sum = FloatVector.fromArray(Rows.FLOATS, x[0], i).fma(FloatVector.fromArray(Rows.FLOATS, x[2], i), sum);
        }
        x[3][j] = Lanes.sum(sum);
    }

    /** {@code y += h[j] b}. */
    private static void mix(int j, int n, float[][] x) {
        int padded = Rows.padded(n);
        FloatVector h = Lanes.broadcast(x[3][j]);
        for (int i = 0; i < padded; i += Rows.LANES) {
            FloatVector.fromArray(Rows.FLOATS, x[2], i)
                    .fma(h, FloatVector.fromArray(Rows.FLOATS, x[1], i))
                    .intoArray(x[1], i);
        }
    }
}
