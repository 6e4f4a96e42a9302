package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;

import io.lorica.adapter.lowrank.LowRank;
import io.lorica.adapter.lowrank.Svd;
import io.lorica.tensor.DType;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SvdTest {
    private static final Seed SEED = new Seed(5);

    /** {@code [out, in]} with singular values {@code j^-power}. */
    static Tensor decaying(long out, long in, double power) {
        long k = Math.min(out, in);
        Tensor u = torch.linalg_qr(LowRank.normal(SEED.of("u"), out, k)).get0();
        Tensor v = torch.linalg_qr(LowRank.normal(SEED.of("v"), in, k)).get0();
        float[] s = new float[(int) k];
        for (int j = 0; j < k; j++) {
            s[j] = (float) Math.pow(j + 1, -power);
        }
        return u.mul(Tensors.of(s, k)).mm(v.t());
    }

    private static Tensor product(Svd svd) {
        return svd.u().mul(svd.s()).mm(svd.vt());
    }

    /** Sides above 128 take the Lanczos path; power 0.05 is a nearly flat spectrum. */
    @ParameterizedTest
    @CsvSource({"300,200,1", "200,300,0.5", "260,260,0.05", "400,150,2", "20,30,1"})
    void exact_anyShapeAndSpectrum_isTheDenseDecompositionCutOff(long out, long in, double power) {
        try (Scope _ = Scope.open()) {
            Tensor w = decaying(out, in, power);
            Svd svd = Svd.exact(w, 6);
            var dense = torch.linalg_svd(w, false, null);
            assertThat(Tensors.maxDifference(svd.s(), dense.get1().narrow(0, 0, 6)))
                    .isLessThan(1e-5);
            Tensor best = dense.get0()
                    .narrow(1, 0, 6)
                    .mul(dense.get1().narrow(0, 0, 6))
                    .mm(dense.get2().narrow(0, 0, 6));
            assertThat(Tensors.maxDifference(product(svd), best)).isLessThan(1e-4);
            assertThat(Tensors.maxDifference(svd.u().t().mm(svd.u()), torch.eye(6)))
                    .isLessThan(1e-5);
            assertThat(Tensors.maxDifference(svd.vt().mm(svd.vt().t()), torch.eye(6)))
                    .isLessThan(1e-5);
        }
    }

    @Test
    void exact_zeroMatrix_isZeroAndFinite() {
        try (Scope _ = Scope.open()) {
            Svd svd = Svd.exact(Tensors.zeros(DType.F32, 200, 180), 4);
            assertThat(Tensors.floats(svd.s())).containsOnly(0);
            assertThat(Tensors.floats(product(svd))).containsOnly(0);
        }
    }

    @ParameterizedTest
    @CsvSource({"4,0.05", "16,0.005"})
    void randomized_decayingSpectrum_leavesLittleMoreThanExact(int iterations, double margin) {
        try (Scope _ = Scope.open()) {
            Tensor w = decaying(160, 200, 1);
            double exact = norm(w.sub(product(Svd.exact(w, 8))));
            double fast = norm(w.sub(product(Svd.randomized(w, 8, iterations, SEED))));
            assertThat(fast).isBetween(exact * (1 - 1e-5), exact * (1 + margin));
        }
    }

    @Test
    void randomized_sameSeed_sameFactors() {
        try (Scope _ = Scope.open()) {
            Tensor w = decaying(60, 40, 0.5);
            assertThat(Tensors.floats(Svd.randomized(w, 4, 2, SEED).u()))
                    .isEqualTo(Tensors.floats(Svd.randomized(w, 4, 2, SEED).u()));
        }
    }

    private static double norm(Tensor matrix) {
        return Math.sqrt(matrix.mul(matrix).sum().item_double());
    }
}
