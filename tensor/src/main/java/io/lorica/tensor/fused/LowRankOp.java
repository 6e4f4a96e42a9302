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

    /** {@code h[j] = a . x}. */
    private static void dot(int j, int n, float[][] x) {
        int padded = Rows.padded(n);
        FloatVector sum = Rows.broadcast(0);
        for (int i = 0; i < padded; i += Rows.LANES) {
            sum = FloatVector.fromArray(Rows.FLOATS, x[0], i).fma(FloatVector.fromArray(Rows.FLOATS, x[2], i), sum);
        }
        x[3][j] = Rows.sum(sum);
    }

    /** {@code y += h[j] b}. */
    private static void mix(int j, int n, float[][] x) {
        int padded = Rows.padded(n);
        FloatVector h = Rows.broadcast(x[3][j]);
        for (int i = 0; i < padded; i += Rows.LANES) {
            FloatVector.fromArray(Rows.FLOATS, x[2], i)
                    .fma(h, FloatVector.fromArray(Rows.FLOATS, x[1], i))
                    .intoArray(x[1], i);
        }
    }
}
