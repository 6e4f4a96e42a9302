package io.lorica.tensor.fused;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.lorica.tensor.DType;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Products of groups against libtorch's, group by group, with gradients. */
class LowRankGroupsOpTest {
    private Scope scope;

    @BeforeEach
    void open() {
        scope = Scope.open();
        torch.manual_seed(3);
    }

    @AfterEach
    void close() {
        scope.close();
    }

    private static Tensor leaf(Tensor values) {
        return values.detach().clone().requires_grad_(true);
    }

    private record Problem(Tensor x, Tensor base, List<LowRankGroupsOp.Group> groups) {

        static Problem random(DType type, double dropout, int in, int out, int rank, int... rows) {
            List<LowRankGroupsOp.Group> groups = new ArrayList<>();
            int all = 0;
            for (int g = 0; g < rows.length; g++) {
                int r = rank + g;
                groups.add(new LowRankGroupsOp.Group(
                        rows[g], leaf(torch.randn(r, in)), leaf(torch.randn(out, r)), 0.5 + g, dropout, new Seed(g)));
                all += rows[g];
            }
            return new Problem(
                    leaf(Tensors.to(torch.randn(all, in), type)),
                    leaf(Tensors.to(torch.randn(all, out), type)),
                    groups);
        }

        /** By libtorch, in float32. */
        Tensor reference() {
            TensorVector parts = new TensorVector();
            long from = 0;
            for (LowRankGroupsOp.Group group : groups) {
                Tensor rows = Tensors.to(x.narrow(0, from, group.rows()), DType.F32);
                Tensor dropped = group.dropout() == 0 ? rows : DropoutOp.apply(rows, group.dropout(), group.seed());
                Tensor product = dropped.mm(group.a().t()).mm(group.b().t());
                parts.push_back(Tensors.to(base.narrow(0, from, group.rows()), DType.F32)
                        .add(product.mul(new Scalar(group.scaling()))));
                from += group.rows();
            }
            return torch.cat(parts, 0);
        }

        /** The value and all gradients. */
        List<Tensor> run(boolean own) {
            List<Tensor> leaves = new ArrayList<>(List.of(x, base));
            groups.forEach(group -> leaves.addAll(List.of(group.a(), group.b())));
            Tensor y = own ? LowRankGroupsOp.apply(x, base, groups) : reference();
            List<Tensor> results = new ArrayList<>(List.of(Tensors.to(y.detach(), DType.F32)));
            Tensor weights =
                    torch.arange(new Scalar(y.numel())).view(Tensors.shape(y)).sin();
            Tensors.to(y, DType.F32).mul(weights).sum().backward();
            for (Tensor leaf : leaves) {
                results.add(Tensors.to(leaf.grad().clone(), DType.F32));
                leaf.mutable_grad().reset();
            }
            return results;
        }
    }

    @ParameterizedTest
    @CsvSource({"F32, 0, 1e-5", "F32, 0.3, 1e-5", "BF16, 0, 2e-2", "BF16, 0.3, 2e-2"})
    void groups_ofAnyRankAndRows_equalLibtorch(DType type, double dropout, double tolerance) {
        for (int rank : new int[] {1, 15, 31}) {
            Problem problem = Problem.random(type, dropout, 64, 320, rank, 1, 7, 130);

            List<Tensor> own = problem.run(true);
            List<Tensor> expected = problem.run(false);

            for (int i = 0; i < own.size(); i++) {
                double most = expected.get(i).abs().max().item_double();
                assertThat(Tensors.maxDifference(own.get(i), expected.get(i)) / most)
                        .as("result %d at rank %d", i, rank)
                        .isLessThan(tolerance);
            }
        }
    }

    @Test
    void inputsWithoutGradient_getNone() {
        Problem problem = Problem.random(DType.F32, 0, 32, 32, 4, 5);
        Tensor x = problem.x().detach();

        LowRankGroupsOp.apply(x, problem.base().detach(), problem.groups())
                .sum()
                .backward();

        assertThat(x.grad().defined()).isFalse();
        assertThat(problem.groups().getFirst().a().grad().defined()).isTrue();
    }

    @Test
    void widthsThatAreNoWholeVectors_doNotFit() {
        assertThat(LowRankGroupsOp.fits(torch.ones(2, 33), torch.ones(2, 64))).isFalse();
        assertThat(LowRankGroupsOp.fits(torch.ones(2, 64), torch.ones(2, 64))).isTrue();
    }

    @Test
    void dropout_manyElements_keepsItsShareWithoutBias() {
        Tensor ones = torch.ones(1000, 1000);

        Tensor dropped = DropoutOp.apply(ones, 0.05, new Seed(1));

        assertThat(dropped.mean().item_double()).isCloseTo(1, within(1e-3));
        assertThat(zeros(dropped)).isCloseTo(0.05, within(1e-3));
        assertThat(zeros(dropped.add(DropoutOp.apply(ones, 0.05, new Seed(2)))))
                .as("both seeds at once")
                .isCloseTo(0.0025, within(2e-4));
        assertThat(zeros(dropped.narrow(1, 0, 999).add(dropped.narrow(1, 1, 999))))
                .as("two neighbours at once")
                .isCloseTo(0.0025, within(2e-4));
    }

    private static double zeros(Tensor x) {
        return Tensors.to(x.eq(new Scalar(0)), DType.F32).mean().item_double();
    }
}
