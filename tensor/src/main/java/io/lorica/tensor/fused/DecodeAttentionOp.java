package io.lorica.tensor.fused;

import io.lorica.tensor.Threads;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import jdk.incubator.vector.FloatVector;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

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
        int longest = queries.stream().mapToInt(Query::total).max().orElse(0);
        // One query's heads together read whole rows, as they lie in memory; few long queries are shared by head
        // instead.
        boolean shared = queries.size() < 2 * Threads.get() && 2L * keyHeads * headDim * tokens >= Kernels.ALONE;
        int together = shared ? 1 : keyHeads;
        int parts = keyHeads / together;
        Kernels.parallel(
                (long) queries.size() * parts, 2L * together * headDim * tokens / queries.size(), (from, to) -> {
                    Work work = new Work(together, longest);
                    for (long task = from; task < to; task++) {
                        attend(queries.get((int) (task / parts)), (int) (task % parts) * together, in, out, work);
                    }
                });
    }

    private void attend(Query query, int firstHead, Rows in, Rows out, Work work) {
        long at = ((long) query.row * heads + (long) firstHead * work.group) * headDim;
        for (int j = 0; j < work.heads; j++) {
            in.read(at + (long) j * headDim, headDim, work.q(), j * work.width);
        }
        int first = window == 0 ? 0 : Math.max(0, query.total - window);
        overRuns(query.keys, firstHead, first, query.total, work, work::score);
        for (int j = 0; j < work.heads; j++) {
            int count = query.total - first;
            Kernels.call((_, n, x) -> CausalSoftmaxOp.normalize(n, (float) scale, x), 0, count, work.softmax(j));
        }
        work.clear();
        overRuns(query.values, firstHead, first, query.total, work, work::mix);
        for (int j = 0; j < work.heads; j++) {
            System.arraycopy(work.sum(), j * work.width, work.one(), 0, work.width);
            out.write(at + (long) j * headDim, headDim, work.one());
        }
    }

    private void overRuns(BlockedRows rows, int head, int first, int total, Work work, Kernels.RowKernel kernel) {
        work.memory = rows.memory().rows();
        work.stride = rows.width();
        for (int row = first; row < total; ) {
            int count = Math.min(total - row, rows.run(row));
            work.start = rows.at(row) + (long) head * headDim;
            Kernels.call(kernel, row - first, count, work.x);
            row += count;
        }
    }

    /** One thread's buffers, the rows it is at, and the arithmetic on them. */
    private final class Work {
        private final int group = DecodeAttentionOp.this.heads / keyHeads;
        private final int width = Rows.padded(headDim);
        private final int keys;
        private final int heads;
        private final float[][] x;
        private @Nullable Rows memory;
        private long start;
        private int stride;

        /**
         * Queries, a key or value, sums of values, then one row of scores for each head.
         *
         * @param keys key heads at a time
         */
        Work(int keys, int longest) {
            this.keys = keys;
            heads = keys * group;
            x = new float[3 + heads][];
            x[0] = new float[heads * width];
            x[1] = new float[width];
            x[2] = new float[heads * width];
            for (int j = 0; j < heads; j++) {
                x[3 + j] = Rows.scratch(longest);
            }
        }

        float[] q() {
            return x[0];
        }

        float[] one() {
            return x[1];
        }

        float[] sum() {
            return x[2];
        }

        float[][] softmax(int j) {
            return new float[][] {x[3 + j]};
        }

        void clear() {
            Arrays.fill(x[2], 0);
        }

        /** {@code scores[j][at + i] = q[j] . row[i]}. */
        void score(int at, int count, float[][] x) {
            Rows rows = Objects.requireNonNull(memory);
            for (int i = 0; i < count; i++) {
                for (int key = 0; key < keys; key++) {
                    rows.read(start + (long) i * stride + (long) key * headDim, headDim, x[1]);
                    for (int j = key * group; j < (key + 1) * group; j++) {
                        FloatVector dot = Lanes.broadcast(0);
                        for (int c = 0; c < width; c += Rows.LANES) {
                            dot = FloatVector.fromArray(Rows.FLOATS, x[0], j * width + c)
                                    .fma(FloatVector.fromArray(Rows.FLOATS, x[1], c), dot);
                        }
                        x[3 + j][at + i] = Lanes.sum(dot);
                    }
                }
            }
        }

        /** {@code sum[j] += scores[j][at + i] row[i]}. */
        void mix(int at, int count, float[][] x) {
            Rows rows = Objects.requireNonNull(memory);
            for (int i = 0; i < count; i++) {
                for (int key = 0; key < keys; key++) {
                    rows.read(start + (long) i * stride + (long) key * headDim, headDim, x[1]);
                    for (int j = key * group; j < (key + 1) * group; j++) {
                        FloatVector weight = Lanes.broadcast(x[3 + j][at + i]);
                        for (int c = 0; c < width; c += Rows.LANES) {
                            FloatVector.fromArray(Rows.FLOATS, x[1], c)
                                    .fma(weight, FloatVector.fromArray(Rows.FLOATS, x[2], j * width + c))
                                    .intoArray(x[2], j * width + c);
                        }
                    }
                }
            }
        }
    }
}
