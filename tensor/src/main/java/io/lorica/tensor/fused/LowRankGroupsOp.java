package io.lorica.tensor.fused;

import io.lorica.tensor.CustomGradient;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * Low-rank products of groups of rows, each group with factors of its own, with gradients: what experts, or the adapters of
 * several jobs, do in one call.
 *
 * <pre>
 * h = drop(x) A_g^T      y = base + s_g h B_g^T
 * G = s_g dy B_g         dx = drop'(G A_g)        dA_g = G^T drop(x)        dB_g = s_g dy^T h        dbase = dy
 * </pre>
 *
 * <p>x: {@code [N, in]}, y and base: {@code [N, out]}, A: {@code [r, in]}, B: {@code [out, r]}, the rows of a group one after
 * another. Arithmetic in float32, whatever the dtype of x and base. Kept for the backward pass are x and {@code h}, {@code r}
 * numbers a row. One call does what libtorch needs some ten operators a group for: made for groups of few rows, where
 * starting those costs more than their work.
 */
public final class LowRankGroupsOp {
    /** Columns of a factor's gradient that are summed at a time, and rows that are read for it. */
    private static final int COLUMNS = 256;

    private static final int BLOCK = 64;

    private LowRankGroupsOp() {}

    /**
     * One group.
     *
     * @param rows how many follow those of the group before
     * @param a {@code [r, in]} float32
     * @param b {@code [out, r]} float32
     * @param scaling {@code s}
     * @param dropout probability, 0 for none
     * @param seed of the dropout; equal to that of {@link DropoutOp} on the group's rows alone
     */
    public record Group(int rows, Tensor a, Tensor b, double scaling, double dropout, Seed seed) {
        int rank() {
            return (int) a.size(0);
        }

        Mask mask() {
            return dropout == 0 ? Mask.NONE : new Mask(seed, dropout);
        }
    }

    /** Whether the kernels can compute with these; widths must be whole numbers of vectors. */
    public static boolean fits(Tensor x, Tensor base) {
        return Kernels.fit(x, base)
                && x.is_contiguous()
                && base.is_contiguous()
                && x.size(1) % Rows.LANES == 0
                && base.size(1) % Rows.LANES == 0;
    }

    /**
     * @param x {@code [N, in]}, where {@link #fits} holds
     * @param base {@code [N, out]}
     * @param groups whose rows are all N
     * @return {@code [N, out]} in the dtype of {@code base}, owned by the caller's innermost scope
     */
    public static Tensor apply(Tensor x, Tensor base, List<Group> groups) {
        List<Tensor> inputs = new ArrayList<>(List.of(x, base));
        groups.forEach(group -> inputs.addAll(List.of(group.a(), group.b())));
        try (Scope scope = Scope.open()) {
            Call call = Call.of(x, base, groups);
            Tensor y;
            try (Grad _ = Grad.disabled()) {
                y = torch.empty_like(base.detach());
                call.forward(x, base, y);
            }
            if (!CustomGradient.records(inputs.toArray(Tensor[]::new))) {
                return scope.keep(y);
            }
            List<Tensor> saved = new ArrayList<>(inputs);
            saved.remove(1);
            return scope.keep(CustomGradient.attach(y, inputs, saved, call::backward));
        }
    }

    /** Some rows of one group. */
    private record Tile(int group, int first, int count) {}

    /**
     * One call of the operator.
     *
     * @param starts first row of each group
     * @param hidden {@code h}, group by group, each {@code [rows, r]} with its rows rounded up to whole panels
     */
    private record Call(int in, int out, List<Group> groups, int[] starts, float[][] hidden) {

        static Call of(Tensor x, Tensor base, List<Group> groups) {
            int[] starts = new int[groups.size()];
            float[][] hidden = new float[groups.size()][];
            int row = 0;
            for (int g = 0; g < starts.length; g++) {
                starts[g] = row;
                row += groups.get(g).rows();
                hidden[g] = panels(groups.get(g));
            }
            return new Call((int) x.size(1), (int) base.size(1), groups, starts, hidden);
        }

        /** Room for {@code r} numbers of each row. */
        private static float[] panels(Group group) {
            return new float[(group.rows() + Panels.ROWS - 1) / Panels.ROWS * Panels.ROWS * group.rank()];
        }

        private List<Tile> tiles() {
            List<Tile> tiles = new ArrayList<>();
            for (int g = 0; g < starts.length; g++) {
                for (int first = 0; first < groups.get(g).rows(); first += Panels.ROWS) {
                    tiles.add(new Tile(
                            g, first, Math.min(Panels.ROWS, groups.get(g).rows() - first)));
                }
            }
            return tiles;
        }

        private int mostRank() {
            return groups.stream().mapToInt(Group::rank).max().orElse(0);
        }

        /** {@code A}, rank by rank. */
        private float[][] downs(List<Tensor> a) {
            float[][] downs = new float[a.size()][];
            Kernels.parallel(downs.length, (long) mostRank() * in, (from, to) -> {
                for (int g = (int) from; g < to; g++) {
                    downs[g] = numbers(a.get(g));
                }
            });
            return downs;
        }

        /** {@code B^T}, rank by rank. */
        private float[][] ups(List<Tensor> b) {
            float[][] ups = new float[b.size()][];
            Kernels.parallel(ups.length, (long) mostRank() * out, (from, to) -> {
                for (int g = (int) from; g < to; g++) {
                    float[] numbers = numbers(b.get(g));
                    ups[g] = new float[numbers.length];
                    Panels.turn(numbers, out, groups.get(g).rank(), ups[g]);
                }
            });
            return ups;
        }

        private static float[] numbers(Tensor factor) {
            float[] numbers = Rows.scratch((int) factor.numel());
            new Rows(factor).read(0, (int) factor.numel(), numbers);
            return numbers;
        }

        void forward(Tensor x, Tensor base, Tensor y) {
            List<Tensor> a = contiguous(groups.stream().map(Group::a));
            List<Tensor> b = contiguous(groups.stream().map(Group::b));
            float[][] downs = downs(a);
            float[][] ups = ups(b);
            Rows from = new Rows(x);
            Rows under = new Rows(base);
            Rows into = new Rows(y);
            List<Tile> tiles = tiles();
            Kernels.parallel(tiles.size(), (long) Panels.ROWS * mostRank() * (in + out), (first, end) -> {
                float[] input = new float[Panels.ROWS * in];
                float[] output = new float[Panels.ROWS * out];
                float[] h = new float[Panels.ROWS * mostRank()];
                for (Tile tile : tiles.subList((int) first, (int) end)) {
                    int g = tile.group();
                    int rank = groups.get(g).rank();
                    masked(from, tile, input);
                    rows(under, tile, out, output);
                    Kernels.call(Panels::dots, rank, in, new float[][] {input, downs[g], h});
                    System.arraycopy(h, 0, hidden[g], tile.first() * rank, Panels.ROWS * rank);
                    scale(h, Panels.ROWS * rank, groups.get(g).scaling());
                    Kernels.call(Panels::mix, rank, out, new float[][] {output, ups[g], h});
                    put(into, tile, out, output);
                }
            });
        }

        private static List<Tensor> contiguous(Stream<Tensor> factors) {
            return factors.map(factor -> Tensors.to(factor.detach(), DType.F32).contiguous())
                    .toList();
        }

        /** The rows of a tile; what is behind them in the panel is of no account. */
        private void rows(Rows from, Tile tile, int n, float[] into) {
            for (int i = 0; i < tile.count(); i++) {
                from.read((long) (starts[tile.group()] + tile.first() + i) * n, n, into, i * n);
            }
        }

        private void masked(Rows from, Tile tile, float[] into) {
            rows(from, tile, in, into);
            groups.get(tile.group()).mask().apply(into, 0, tile.count() * in, tile.first() * in);
        }

        private void put(Rows into, Tile tile, int n, float[] values) {
            for (int i = 0; i < tile.count(); i++) {
                into.write((long) (starts[tile.group()] + tile.first() + i) * n, n, values, i * n);
            }
        }

        private static void scale(float[] h, int n, double factor) {
            for (int i = 0; i < n; i++) {
                h[i] *= (float) factor;
            }
        }

        /** Gradients of x, base, and each group's A and B. */
        List<Tensor> backward(Tensor gradient, List<Tensor> saved, List<Boolean> needed) {
            Tensor dy = gradient.contiguous();
            Tensor x = saved.getFirst();
            int count = groups.size();
            float[][] slopes = new float[count][]; // G, like the hidden numbers
            Arrays.setAll(slopes, g -> panels(groups.get(g)));
            Tensor dx = needed.getFirst() ? torch.empty_like(x) : null;
            List<Tensor> a = contiguous(IntStream.range(0, count).mapToObj(g -> saved.get(1 + 2 * g)));
            List<Tensor> b = contiguous(IntStream.range(0, count).mapToObj(g -> saved.get(2 + 2 * g)));
            back(dy, dx, dx == null ? new float[count][] : downs(a), ups(b), slopes);
            List<Tensor> gradients = new ArrayList<>();
            gradients.add(dx == null ? dy : dx);
            gradients.add(dy.alias());
            gradients.addAll(factors(x, dy, slopes));
            return gradients;
        }

        /** {@code G}, and {@code dx} where it is wanted. */
        private void back(Tensor dy, @Nullable Tensor dx, float[][] downs, float[][] ups, float[][] slopes) {
            Rows from = new Rows(dy);
            Rows into = dx == null ? from : new Rows(dx);
            List<Tile> tiles = tiles();
            Kernels.parallel(tiles.size(), (long) Panels.ROWS * mostRank() * (in + out), (first, end) -> {
                float[] output = new float[Panels.ROWS * out];
                float[] input = new float[Panels.ROWS * in];
                float[] h = new float[Panels.ROWS * mostRank()];
                for (Tile tile : tiles.subList((int) first, (int) end)) {
                    int g = tile.group();
                    int rank = groups.get(g).rank();
                    rows(from, tile, out, output);
                    Kernels.call(Panels::dots, rank, out, new float[][] {output, ups[g], h});
                    scale(h, Panels.ROWS * rank, groups.get(g).scaling());
                    System.arraycopy(h, 0, slopes[g], tile.first() * rank, Panels.ROWS * rank);
                    if (dx != null) {
                        Arrays.fill(input, 0);
                        Kernels.call(Panels::mix, rank, in, new float[][] {input, downs[g], h});
                        groups.get(g).mask().apply(input, 0, tile.count() * in, tile.first() * in);
                        put(into, tile, in, input);
                    }
                }
            });
        }

        /** Some columns of one factor's gradient. */
        private record Part(int group, boolean down, int column, int width) {}

        /** {@code dA} and {@code dB} of each group. */
        private List<Tensor> factors(Tensor x, Tensor dy, float[][] slopes) {
            List<Part> parts = new ArrayList<>();
            float[][] downs = new float[starts.length][];
            float[][] ups = new float[starts.length][];
            for (int g = 0; g < starts.length; g++) {
                downs[g] = new float[groups.get(g).rank() * in];
                ups[g] = new float[groups.get(g).rank() * out];
                for (int column = 0; column < in; column += COLUMNS) {
                    parts.add(new Part(g, true, column, Math.min(COLUMNS, in - column)));
                }
                for (int column = 0; column < out; column += COLUMNS) {
                    parts.add(new Part(g, false, column, Math.min(COLUMNS, out - column)));
                }
            }
            Rows inputs = new Rows(x);
            Rows outputs = new Rows(dy);
            Kernels.parallel(parts.size(), (long) COLUMNS * mostRank() * BLOCK, (from, to) -> {
                float[][] buffers = {
                    new float[BLOCK * COLUMNS], new float[BLOCK * mostRank()], new float[mostRank() * COLUMNS]
                };
                for (Part part : parts.subList((int) from, (int) to)) {
                    int g = part.group();
                    if (part.down()) {
                        sum(part, inputs, in, slopes[g], downs[g], buffers);
                    } else {
                        sum(part, outputs, out, hidden[g], ups[g], buffers);
                    }
                }
            });
            List<Tensor> gradients = new ArrayList<>();
            for (int g = 0; g < starts.length; g++) {
                int rank = groups.get(g).rank();
                float[] turned = new float[ups[g].length];
                Panels.turn(ups[g], rank, out, turned);
                scale(turned, turned.length, groups.get(g).scaling());
                gradients.add(Tensors.of(downs[g], rank, in));
                gradients.add(Tensors.of(turned, out, rank));
            }
            return gradients;
        }

        /** {@code h^T} times some columns of a group's rows, masked where they are its inputs. */
        private void sum(Part part, Rows from, int n, float[] h, float[] into, float[][] buffers) {
            int rank = groups.get(part.group()).rank();
            int rows = groups.get(part.group()).rows();
            Mask mask = part.down() ? groups.get(part.group()).mask() : Mask.NONE;
            Arrays.fill(buffers[2], 0);
            for (int first = 0; first < rows; first += BLOCK) {
                int count = Math.min(BLOCK, rows - first);
                for (int i = 0; i < count; i++) {
                    int row = first + i;
                    long at = (long) (starts[part.group()] + row) * n + part.column();
                    from.read(at, part.width(), buffers[0], i * part.width());
                    mask.apply(buffers[0], i * part.width(), part.width(), row * n + part.column());
                }
                System.arraycopy(h, first * rank, buffers[1], 0, count * rank);
                Kernels.call((r, width, b) -> Panels.outer(r, width, count, b), rank, part.width(), buffers);
            }
            for (int j = 0; j < rank; j++) {
                System.arraycopy(buffers[2], j * part.width(), into, j * n + part.column(), part.width());
            }
        }
    }
}
