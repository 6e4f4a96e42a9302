package io.lorica.tensor.fused;

import static org.assertj.core.api.Assertions.assertThat;

import io.lorica.tensor.DType;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** Rows with products of different ranks, cut into pieces anywhere, against libtorch's products. */
class LowRankOpTest {

    /** Factors laid into memory piece by piece with gaps between, and as tensors. */
    private record Drawn(LowRankOp.Product product, Tensor a, Tensor b) {
        static Drawn of(DType type, int rank, int in, int out, Random random) {
            Tensor a = Tensors.to(torch.randn(rank, in), type);
            Tensor b = Tensors.to(torch.randn(rank, out), type);
            Elements memory = new Elements(Tensors.empty(type, (long) rank * (in + out + 3) + 5));
            List<LowRankOp.Piece> pieces = new ArrayList<>();
            long at = 5;
            for (int done = 0; done < rank; ) {
                int count = 1 + random.nextInt(rank - done);
                LowRankOp.Piece piece = new LowRankOp.Piece(count, at, at + (long) count * in);
                memory.write(piece.a(), a.narrow(0, done, count));
                memory.write(piece.b(), b.narrow(0, done, count));
                pieces.add(piece);
                at += (long) count * (in + out) + 3;
                done += count;
            }
            return new Drawn(new LowRankOp.Product(memory, in, out, pieces), a, b);
        }

        Tensor of(Tensor x, double factor) {
            return Tensors.to(x, DType.F32)
                    .matmul(Tensors.to(a, DType.F32).t())
                    .matmul(Tensors.to(b, DType.F32))
                    .mul(new Scalar(factor));
        }
    }

    @Property(tries = 60)
    void apply_ranksInPieces_equalsProducts(
            @ForAll long seed,
            @ForAll @IntRange(min = 1, max = 50) int in,
            @ForAll @IntRange(min = 1, max = 50) int out,
            @ForAll boolean bfloat16) {
        try (Scope _ = Scope.open()) {
            Random random = new Random(seed);
            torch.manual_seed(seed);
            DType type = bfloat16 ? DType.BF16 : DType.F32;
            Tensor x = Tensors.to(torch.randn(4, in), type);
            Tensor y = Tensors.to(torch.randn(4, out), type);
            Tensor wanted = Tensors.to(y, DType.F32).clone();
            List<LowRankOp.Row> rows = new ArrayList<>();
            for (int row : new int[] {3, 1}) {
                List<LowRankOp.Term> terms = new ArrayList<>();
                for (int i = 0; i < 1 + random.nextInt(2); i++) {
                    Drawn drawn = Drawn.of(type, 1 + random.nextInt(9), in, out, random);
                    terms.add(new LowRankOp.Term(drawn.product, i - 0.5));
                    wanted.select(0, row).add_(drawn.of(x.select(0, row), i - 0.5));
                }
                rows.add(new LowRankOp.Row(row, terms));
            }
            LowRankOp.apply(x, y, rows);
            double size = wanted.abs().max().item_double();
            assertThat(Tensors.maxDifference(y, wanted) / size).isLessThan(bfloat16 ? 1e-2 : 1e-5);
        }
    }
}
