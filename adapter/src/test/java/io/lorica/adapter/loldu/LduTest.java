package io.lorica.adapter.loldu;

import static org.assertj.core.api.Assertions.assertThat;

import io.lorica.adapter.lowrank.LowRank;
import io.lorica.tensor.DType;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LduTest {
    @ParameterizedTest
    @CsvSource({"48,32", "32,32", "24,40"})
    void of_anyShape_factorsMultiplyToTheMatrix(long out, long in) {
        try (Scope _ = Scope.open()) {
            Tensor w = LowRank.normal(new Seed(4), out, in);
            Ldu ldu = Ldu.of(w);
            assertThat(Tensors.maxDifference(ldu.pl().mul(ldu.d()).mm(ldu.u()), w))
                    .isLessThan(1e-4);
            assertThat(ldu.pl().abs().max().item_double()).isLessThanOrEqualTo(1 + 1e-6);
            assertThat(Tensors.maxDifference(torch.diag(ldu.u()), Tensors.ones(DType.F32, Math.min(out, in))))
                    .isLessThan(1e-6);
            assertThat(torch.tril(ldu.u(), -1).abs().max().item_double()).isZero();
        }
    }

    @Test
    void of_rankDeficientAndZero_areFiniteAndMultiplyBack() {
        try (Scope _ = Scope.open()) {
            Tensor low = LowRank.normal(new Seed(1), 20, 3).mm(LowRank.normal(new Seed(2), 3, 16));
            for (Tensor w : new Tensor[] {low, Tensors.zeros(DType.F32, 20, 16)}) {
                Ldu ldu = Ldu.of(w);
                assertThat(ldu.u().isfinite().all().item_bool()).isTrue();
                assertThat(Tensors.maxDifference(ldu.pl().mul(ldu.d()).mm(ldu.u()), w))
                        .isLessThan(1e-4);
            }
        }
    }
}
