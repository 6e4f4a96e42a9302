package io.lorica.tensor.fused;

import static org.assertj.core.api.Assertions.assertThat;

import io.lorica.tensor.DType;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** Attention over scattered pages against libtorch's products over the same keys and values laid together. */
class DecodeAttentionOpTest {
    private static final int PAGES = 40;

    /** Pages in random order, so that no sequence's rows lie together. */
    private record Pages(Elements memory, List<Integer> free, int tokens, int width) {
        static Pages of(DType type, int tokens, int width, Random random) {
            Tensor flat = Tensors.empty(type, (long) PAGES * tokens * width);
            List<Integer> free =
                    new ArrayList<>(IntStream.range(0, PAGES).boxed().toList());
            Collections.shuffle(free, random);
            return new Pages(new Elements(flat), free, tokens, width);
        }

        BlockedRows hold(Tensor rows) {
            int blocks = ((int) rows.size(0) + tokens - 1) / tokens;
            long[] starts = new long[blocks];
            for (int i = 0; i < blocks; i++) {
                starts[i] = (long) free.removeLast() * tokens * width;
            }
            BlockedRows held = new BlockedRows(memory, starts, tokens, width);
            int head = Math.min(2, (int) rows.size(0));
            held.write(0, rows.narrow(0, 0, head));
            held.write(head, rows.narrow(0, head, rows.size(0) - head));
            return held;
        }
    }

    @Property(tries = 60)
    void apply_scatteredPages_equalsProductsOverAll(
            @ForAll long seed,
            @ForAll @IntRange(min = 1, max = 3) int keyHeads,
            @ForAll @IntRange(min = 1, max = 3) int group,
            @ForAll @IntRange(min = 3, max = 40) int headDim,
            @ForAll @IntRange(min = 0, max = 9) int window,
            @ForAll boolean bfloat16) {
        try (Scope _ = Scope.open()) {
            Random random = new Random(seed);
            torch.manual_seed(seed);
            DType type = bfloat16 ? DType.BF16 : DType.F32;
            int width = keyHeads * headDim;
            Pages pages = Pages.of(type, 5, width, random);
            int count = 1 + random.nextInt(3);
            Tensor q = Tensors.to(torch.randn(count + 1, (long) group * width), type);
            Tensor output = torch.zeros_like(q);
            List<DecodeAttentionOp.Query> queries = new ArrayList<>();
            List<Tensor> wanted = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                int total = 3 + random.nextInt(25);
                Tensor k = Tensors.to(torch.randn(total, width), type);
                Tensor v = Tensors.to(torch.randn(total, width), type);
                queries.add(new DecodeAttentionOp.Query(i, total, pages.hold(k), pages.hold(v)));
                int first = window == 0 ? 0 : Math.max(0, total - window);
                wanted.add(expected(q.select(0, i), seen(k, first), seen(v, first), keyHeads, headDim));
            }
            new DecodeAttentionOp(keyHeads * group, keyHeads, headDim, window, 1 / Math.sqrt(headDim))
                    .apply(q, output, queries);
            for (int i = 0; i < count; i++) {
                assertThat(Tensors.maxDifference(output.select(0, i), wanted.get(i)))
                        .isLessThan(bfloat16 ? 3e-2 : 1e-5);
            }
            assertThat(output.select(0, count).abs().max().item_double()).isZero();
        }
    }

    private static Tensor seen(Tensor rows, int first) {
        return Tensors.to(rows.narrow(0, first, rows.size(0) - first), DType.F32);
    }

    private static Tensor expected(Tensor q, Tensor k, Tensor v, int keyHeads, int headDim) {
        Tensor queries = Tensors.to(q, DType.F32).view(keyHeads, -1, headDim);
        Tensor keys = k.view(-1, keyHeads, headDim).permute(1, 2, 0);
        Tensor values = v.view(-1, keyHeads, headDim).transpose(0, 1);
        Tensor scores = torch.bmm(queries, keys).div(new Scalar(Math.sqrt(headDim)));
        return torch.bmm(torch.softmax(scores, -1), values).reshape(-1);
    }

    @Property(tries = 20)
    void gather_scatteredPages_givesTheRowsBack(@ForAll long seed, @ForAll @IntRange(min = 2, max = 30) int count) {
        try (Scope _ = Scope.open()) {
            torch.manual_seed(seed);
            Tensor rows = torch.randn(count, 7);
            BlockedRows held = Pages.of(DType.F32, 4, 7, new Random(seed)).hold(rows);
            assertThat(held.gather(count).equal(rows)).isTrue();
        }
    }
}
