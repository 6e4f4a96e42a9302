package io.lorica.tensor.fused;

import io.lorica.tensor.DType;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * Softmax over the keys that a query may see, and its gradient; for attention that writes its gradient by hand.
 *
 * <p>A {@link Block} is the scores {@code [heads, rows, m]} of some sequence; its rows are whole groups of {@code n}
 * queries, the last {@code n} of {@code m} tokens. Row {@code i} of a group sees the keys up to its own place {@code m - n
 * + i}, and of those the last {@code window} where that is not 0. All blocks of a layer go in one call, since sharing
 * work among threads costs as much as a small block.
 *
 * @param window 0 for no limit
 * @param scale factor on the scores
 */
public record CausalSoftmaxOp(int window, double scale) {

    /**
     * One sequence's part.
     *
     * @param n queries
     * @param values {@code [heads, rows, m]} contiguous
     */
    public record Block(int n, Tensor values) {

        int m() {
            return (int) values.size(2);
        }

        long rows() {
            return values.size(0) * values.size(1);
        }
    }

    /**
     * {@code softmax(scale * scores)} over what is visible, 0 elsewhere.
     *
     * @param scores overwritten
     * @return the probabilities of each block, perhaps in the same memory
     */
    public List<Tensor> forward(List<Block> scores) {
        if (!fit(scores)) {
            return scores.stream().map(this::plain).toList();
        }
        overVisible(scores, List.of(), CausalSoftmaxOp::normalize);
        return scores.stream().map(Block::values).toList();
    }

    /**
     * {@code dscores = scale * P * (dP - sum(dP * P))}.
     *
     * @param probabilities of {@link #forward}
     * @param gradients {@code dL/dP}; overwritten
     * @return gradients of the scores before scaling, perhaps in the memory of {@code gradients}
     */
    public List<Tensor> backward(List<Block> probabilities, List<Block> gradients) {
        if (!fit(gradients)) {
            return IntStream.range(0, gradients.size())
                    .mapToObj(i -> plain(
                            probabilities.get(i).values(), gradients.get(i).values()))
                    .toList();
        }
        overVisible(gradients, probabilities, CausalSoftmaxOp::differentiate);
        return gradients.stream().map(Block::values).toList();
    }

    private static boolean fit(List<Block> blocks) {
        return Kernels.fit(blocks.stream().map(Block::values).toArray(Tensor[]::new));
    }

    private Tensor plain(Block scores) {
        Tensor values = scores.values();
        Tensor mask = mask(scores.n(), scores.m(), DType.of(values));
        return torch.softmax(
                        values.mul(new Scalar(scale))
                                .view(-1, scores.n(), scores.m())
                                .add(mask),
                        -1)
                .view(values.size(0), values.size(1), values.size(2));
    }

    private Tensor plain(Tensor probabilities, Tensor gradient) {
        Tensor mean = gradient.mul(probabilities).sum(new long[] {-1}, true, null);
        return gradient.sub(mean).mul(probabilities).mul(new Scalar(scale));
    }

    /** The arithmetic of what one row sees. */
    @FunctionalInterface
    private interface Visible {
        void run(int count, float scale, float[][] x);
    }

    /** Applies a kernel to what each row sees, in place, and puts zeros elsewhere. */
    private void overVisible(List<Block> blocks, List<Block> others, Visible visible) {
        Kernels.RowKernel kernel = (_, count, x) -> visible.run(count, (float) scale, x);
        long[] starts = new long[blocks.size() + 1];
        long elements = 0;
        for (int i = 0; i < blocks.size(); i++) {
            starts[i + 1] = starts[i] + blocks.get(i).rows();
            elements += blocks.get(i).values().numel();
        }
        Kernels.parallel(starts[blocks.size()], elements / starts[blocks.size()], (from, to) -> {
            for (int i = 0; i < blocks.size(); i++) {
                long first = Math.max(from, starts[i]) - starts[i];
                long end = Math.min(to, starts[i + 1]) - starts[i];
                if (first < end) {
                    rows(blocks.get(i), others.isEmpty() ? null : others.get(i), first, end, kernel);
                }
            }
        });
    }

    private void rows(Block block, @Nullable Block other, long from, long to, Kernels.RowKernel kernel) {
        int m = block.m();
        int n = block.n();
        Rows values = new Rows(block.values());
        Rows second = other == null ? values : new Rows(other.values());
        float[][] x = new float[3][Rows.padded(m)];
        for (long row = from; row < to; row++) {
            int end = m - n + (int) (row % n) + 1;
            int first = window == 0 ? 0 : Math.max(0, end - window);
            int count = end - first;
            values.read(row * m + first, count, x[0]);
            if (other != null) {
                second.read(row * m + first, count, x[1]);
            }
            Kernels.call(kernel, (int) row, count, x);
            if (first > 0) {
                System.arraycopy(x[0], 0, x[0], first, count);
                Arrays.fill(x[0], 0, first, 0);
            }
            Arrays.fill(x[0], end, m, 0);
            values.write(row * m, m, x[0]);
        }
    }

    /** {@code softmax(scale * x[0])} of the first {@code count} elements, in place. */
    static void normalize(int count, float scale, float[][] x) {
        float[] row = x[0];
        int padded = Rows.padded(count);
        Arrays.fill(row, count, padded, Float.NEGATIVE_INFINITY); // e^-87 each: nothing in the sum
        FloatVector largest = Lanes.broadcast(Float.NEGATIVE_INFINITY);
        for (int i = 0; i < padded; i += Rows.LANES) {
            largest = largest.max(FloatVector.fromArray(Rows.FLOATS, row, i));
        }
        float top = largest.reduceLanes(VectorOperators.MAX);
        FloatVector sum = Lanes.broadcast(0);
        for (int i = 0; i < padded; i += Rows.LANES) {
            FloatVector e = Lanes.exp(
                    FloatVector.fromArray(Rows.FLOATS, row, i).sub(top).mul(scale));
            e.intoArray(row, i);
            sum = sum.add(e);
        }
        float share = 1 / Lanes.sum(sum);
        for (int i = 0; i < padded; i += Rows.LANES) {
            FloatVector.fromArray(Rows.FLOATS, row, i).mul(share).intoArray(row, i);
        }
    }

    private static void differentiate(int count, float scale, float[][] x) {
        float[] d = x[0];
        float[] p = x[1];
        int padded = Rows.padded(count);
        FloatVector sum = Lanes.broadcast(0);
        for (int i = 0; i < padded; i += Rows.LANES) {
            sum = FloatVector.fromArray(Rows.FLOATS, p, i).fma(FloatVector.fromArray(Rows.FLOATS, d, i), sum);
        }
        float dot = Lanes.sum(sum);
        for (int i = 0; i < padded; i += Rows.LANES) {
            FloatVector.fromArray(Rows.FLOATS, d, i)
                    .sub(dot)
                    .mul(FloatVector.fromArray(Rows.FLOATS, p, i))
                    .mul(scale)
                    .intoArray(d, i);
        }
    }

    /** {@code [n, m]}: 0 where visible, minus infinity elsewhere. */
    private Tensor mask(int n, int m, DType type) {
        try (Scope scope = Scope.open()) {
            Tensor blocked = torch.triu(Tensors.ones(DType.BOOL, n, m), (long) m - n + 1);
            if (window > 0) {
                blocked = blocked.logical_or(torch.tril(Tensors.ones(DType.BOOL, n, m), (long) m - n - window));
            }
            return scope.keep(Tensors.zeros(type, n, m).masked_fill_(blocked, new Scalar(Double.NEGATIVE_INFINITY)));
        }
    }
}
