package io.lorica.tensor.fused;

import java.util.Arrays;
import java.util.List;
import jdk.incubator.vector.FloatVector;
import org.bytedeco.pytorch.Tensor;

/**
 * Attention of single tokens over what their sequences have been through, {@code softmax(scale q K^T) V} with grouped
 * queries, read where it lies: no key or value is copied, whatever blocks hold it. All sequences of a layer go in one
 * call, one piece of work for each key head of each. Arithmetic in float32.
 *
 * @param heads query heads
 * @param keyHeads key and value heads; divides {@code heads}
 * @param headDim width of a head
 * @param window a token sees itself and the {@code window - 1} before it; 0 for no limit
 * @param scale factor on the scores
 */
public record DecodeAttentionOp(int heads, int keyHeads, int headDim, int window, double scale) {

    /** Tokens whose keys or values are unpacked at a time. */
    private static final int TILE = 16;

    /**
     * One sequence's newest token.
     *
     * @param row of queries and output
     * @param total tokens of the sequence, this one included
     * @param keys rows of {@code keyHeads * headDim}, that of this token included
     */
    public record Query(int row, int total, BlockedRows keys, BlockedRows values) {}

    /** Whether the kernel can compute with these. */
    public static boolean fits(Tensor q, BlockedRows keys) {
        return keys.memory().readable() && Kernels.fit(q);
    }

    /**
     * @param q {@code [T, heads * headDim]} contiguous
     * @param output like {@code q}; the rows of the queries are written
     */
    public void apply(Tensor q, Tensor output, List<Query> queries) {
        Rows in = new Rows(q);
        Rows out = new Rows(output);
        long tokens = queries.stream().mapToLong(Query::total).sum();
        int group = heads / keyHeads;
        int longest = queries.stream().mapToInt(Query::total).max().orElse(0);
        Kernels.parallel((long) queries.size() * keyHeads, 2L * headDim * tokens / queries.size(), (from, to) -> {
            Work work = new Work(group, Rows.padded(headDim), longest);
            for (long task = from; task < to; task++) {
                attend(queries.get((int) (task / keyHeads)), (int) (task % keyHeads), in, out, work);
            }
        });
    }

    private void attend(Query query, int head, Rows in, Rows out, Work work) {
        int group = heads / keyHeads;
        long at = ((long) query.row * heads + (long) head * group) * headDim;
        for (int j = 0; j < group; j++) {
            in.read(at + (long) j * headDim, headDim, work.q(), j * work.width);
        }
        int first = window == 0 ? 0 : Math.max(0, query.total - window);
        overTiles(query.keys, head, first, query.total, work, work::score);
        for (int j = 0; j < group; j++) {
            int count = query.total - first;
            Kernels.call((_, n, x) -> CausalSoftmaxOp.normalize(n, (float) scale, x), 0, count, work.softmax(j));
        }
        work.clear();
        overTiles(query.values, head, first, query.total, work, work::mix);
        for (int j = 0; j < group; j++) {
            System.arraycopy(work.sum(), j * work.width, work.tile(), 0, work.width);
            out.write(at + (long) j * headDim, headDim, work.tile());
        }
    }

    private void overTiles(BlockedRows rows, int head, int first, int total, Work work, Kernels.RowKernel kernel) {
        Rows memory = rows.memory().rows();
        for (int row = first; row < total; ) {
            int count = Math.min(Math.min(TILE, total - row), rows.run(row));
            long at = rows.at(row) + (long) head * headDim;
            for (int i = 0; i < count; i++) {
                memory.read(at + (long) i * rows.width(), headDim, work.tile(), i * work.width);
            }
            Kernels.call(kernel, row - first, count, work.x);
            row += count;
        }
    }

    /** One thread's buffers, and the arithmetic on them. */
    private static final class Work {
        private final int group;
        private final int width;
        private final float[][] x;

        /** Queries, a tile, sums of values, then one row of scores for each head of the group, and a vector's sum. */
        Work(int group, int width, int longest) {
            this.group = group;
            this.width = width;
            x = new float[4 + group][];
            x[0] = new float[group * width];
            x[1] = new float[TILE * width];
            x[2] = new float[group * width];
            for (int j = 0; j < group; j++) {
                x[3 + j] = Rows.scratch(longest);
            }
            x[3 + group] = new float[Rows.LANES];
        }

        float[] q() {
            return x[0];
        }

        float[] tile() {
            return x[1];
        }

        float[] sum() {
            return x[2];
        }

        float[][] softmax(int j) {
            return new float[][] {x[3 + j], x[3 + group]};
        }

        void clear() {
            Arrays.fill(x[2], 0);
        }

        /** {@code scores[j][at + i] = q[j] . tile[i]}. */
        void score(int at, int count, float[][] x) {
            float[] spare = x[3 + group];
            for (int j = 0; j < group; j++) {
                float[] scores = x[3 + j];
                for (int i = 0; i < count; i++) {
                    FloatVector dot = Rows.broadcast(0);
                    for (int c = 0; c < width; c += Rows.LANES) {
                        dot = FloatVector.fromArray(Rows.FLOATS, x[0], j * width + c)
                                .fma(FloatVector.fromArray(Rows.FLOATS, x[1], i * width + c), dot);
                    }
                    scores[at + i] = Rows.sum(dot, spare);
                }
            }
        }

        /** {@code sum[j] += scores[j][at + i] tile[i]}. */
        void mix(int at, int count, float[][] x) {
            for (int j = 0; j < group; j++) {
                float[] scores = x[3 + j];
                for (int c = 0; c < width; c += Rows.LANES) {
                    FloatVector sum = FloatVector.fromArray(Rows.FLOATS, x[2], j * width + c);
                    for (int i = 0; i < count; i++) {
                        sum = FloatVector.fromArray(Rows.FLOATS, x[1], i * width + c)
                                .fma(Rows.broadcast(scores[at + i]), sum);
                    }
                    sum.intoArray(x[2], j * width + c);
                }
            }
        }
    }
}
