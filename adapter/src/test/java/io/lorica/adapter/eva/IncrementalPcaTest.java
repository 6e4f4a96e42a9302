package io.lorica.adapter.eva;

import static org.assertj.core.api.Assertions.assertThat;

import io.lorica.adapter.lowrank.LowRank;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class IncrementalPcaTest {
    private static final Seed SEED = new Seed(3);

    /** {@code [n, width]} rows whose variance falls by 0.8 from one hidden direction to the next. */
    private static Tensor data(long n, int width, int directions) {
        Tensor basis = torch.linalg_qr(LowRank.normal(SEED.of("basis"), width, directions))
                .get0();
        float[] spread = new float[directions];
        for (int j = 0; j < directions; j++) {
            spread[j] = (float) (3 * Math.pow(0.8, j));
        }
        return LowRank.normal(SEED.of("rows"), n, directions)
                .mul(Tensors.of(spread, directions))
                .mm(basis.t());
    }

    private static IncrementalPca fitted(Tensor x, int components, int batches) {
        IncrementalPca pca = new IncrementalPca(components);
        long n = x.size(0) / batches;
        for (int i = 0; i < batches; i++) {
            pca.add(x.narrow(0, i * n, n));
        }
        return pca;
    }

    private static Tensor centred(Tensor x) {
        return x.sub(x.mean(0));
    }

    private static float[] cosines(Tensor left, Tensor right) {
        return Tensors.floats(left.mul(right).sum(1).abs());
    }

    /** 64 features decompose exactly, 300 by iterations. */
    @ParameterizedTest
    @ValueSource(ints = {64, 300})
    void add_dataOfFewDirections_isThePcaOfAllRows(int width) {
        try (Scope _ = Scope.open()) {
            Tensor x = data(1024, width, 8);
            try (IncrementalPca pca = fitted(x, 8, 4)) {
                var whole = torch.linalg_svd(centred(x), false, null);
                assertThat(cosines(pca.rows(), whole.get2().narrow(0, 0, 8))).doesNotContain(0f);
                for (float cosine : cosines(pca.rows(), whole.get2().narrow(0, 0, 8))) {
                    assertThat(cosine).isGreaterThan(0.9999f);
                }
                Tensor squares = whole.get1().mul(whole.get1());
                float[] shares = Tensors.floats(squares.div(squares.sum()).narrow(0, 0, 8));
                for (int i = 0; i < 8; i++) {
                    assertThat(pca.explained()[i]).isCloseTo(shares[i], org.assertj.core.api.Assertions.within(1e-4f));
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {64, 300})
    void add_moreDirectionsThanComponents_capturesNearlyAllTheyCan(int width) {
        try (Scope _ = Scope.open()) {
            Tensor x = data(2048, width, 32);
            try (IncrementalPca pca = fitted(x, 8, 8)) {
                Tensor c = centred(x);
                Tensor best = torch.linalg_svd(c, false, null).get1().narrow(0, 0, 8);
                Tensor seen = c.mm(pca.rows().t());
                double captured = seen.mul(seen).sum().item_double();
                assertThat(captured / best.mul(best).sum().item_double()).isGreaterThan(0.97);
                float[] shares = pca.explained();
                double sum = 0;
                for (int i = 0; i < 8; i++) {
                    assertThat(shares[i]).isBetween(0f, i == 0 ? 1f : shares[i - 1]);
                    sum += shares[i];
                }
                assertThat(sum).isLessThanOrEqualTo(1);
            }
        }
    }

    @Test
    void add_shiftedData_sameComponents() {
        try (Scope _ = Scope.open()) {
            Tensor x = data(1024, 64, 8);
            try (IncrementalPca plain = fitted(x, 4, 4);
                    IncrementalPca shifted = fitted(x.add(new Scalar(100.0)), 4, 4)) {
                for (float cosine : cosines(plain.rows(), shifted.rows())) {
                    assertThat(cosine).isGreaterThan(0.999f);
                }
            }
        }
    }

    @Test
    void add_sameRowsAgain_cosinesAreOne() {
        try (Scope _ = Scope.open();
                IncrementalPca pca = new IncrementalPca(4)) {
            Tensor x = data(256, 40, 8);
            assertThat(pca.add(x)).isEmpty();
            for (float cosine : pca.add(x)) {
                assertThat(cosine).isGreaterThan(0.9999f);
            }
        }
    }

    @Test
    void redistribution_unequalSites_givesRanksToWhatExplainsMost() {
        SequencedMap<String, float[]> explained = new LinkedHashMap<>();
        explained.put("steep", new float[] {.9f, .05f, .03f, .02f});
        explained.put("flat", new float[] {.3f, .28f, .22f, .2f});
        assertThat(Redistribution.of(explained, Map.of(), 4))
                .containsEntry("steep", 1)
                .containsEntry("flat", 3);
    }

    @Test
    void redistribution_tiesOfEqualInputs_theWatchedSiteHasTheMost() {
        SequencedMap<String, float[]> explained = new LinkedHashMap<>();
        explained.put("q", new float[] {.5f, .3f});
        explained.put("k", new float[] {.5f, .3f});
        assertThat(Redistribution.of(explained, Map.of("k", "q"), 3))
                .containsEntry("q", 2)
                .containsEntry("k", 1);
        assertThat(List.copyOf(explained.keySet())).containsExactly("q", "k");
    }
}
