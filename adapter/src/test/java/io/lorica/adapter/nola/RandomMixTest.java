package io.lorica.adapter.nola;

import static org.assertj.core.api.Assertions.assertThat;

import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.SafetensorsFile;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.SeededBasis;
import io.lorica.tensor.TensorSource;
import io.lorica.tensor.Tensors;
import java.nio.file.Path;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RandomMixTest {
    private static final Path FIXTURE = Path.of("src", "test", "resources", "forms", "nola.safetensors");

    /** Against bench/peers/make_mix_fixtures.py, which holds every matrix of the basis; in = 12, out = 10, r = 3. */
    @ParameterizedTest
    @ValueSource(strings = {"lm", "vit"})
    void of_fixture_sameFactorsOutputAndGradients(String form) {
        boolean vision = form.equals("vit");
        try (Scope _ = Scope.open();
                TensorSource source = SafetensorsFile.open(FIXTURE)) {
            long[] seeds = Tensors.longs(source.read(form + ".seeds"));
            Tensor alpha = source.read(form + ".alpha").clone().requires_grad_(true);
            Tensor beta = source.read(form + ".beta").clone().requires_grad_(true);
            double gain = vision ? 1 : 1 / Math.sqrt(7.0);
            RandomMix mixA = vision
                    ? new RandomMix(seeds[0], 12, 3, SeededBasis.linearBound(36), gain, null)
                    : new RandomMix(seeds[0], 3, 12, 1, gain, start(seeds[2]));
            RandomMix mixB = vision
                    ? new RandomMix(seeds[1], 3, 10, SeededBasis.linearBound(30), gain, null)
                    : new RandomMix(seeds[1], 10, 3, 1, gain, null);
            Tensor a = vision ? mixA.of(alpha).t() : mixA.of(alpha);
            Tensor b = vision ? mixB.of(beta).t() : mixB.of(beta);
            Tensor y = source.read(form + ".x").mm(a.t()).mm(b.t());
            y.sin().sum().backward();
            assertThat(Tensors.maxDifference(a, source.read(form + ".a"))).isLessThan(1e-6);
            assertThat(Tensors.maxDifference(b, source.read(form + ".b"))).isLessThan(1e-6);
            assertThat(Tensors.maxDifference(y, source.read(form + ".y"))).isLessThan(1e-5);
            assertThat(Tensors.maxDifference(alpha.grad(), source.read(form + ".dalpha")))
                    .isLessThan(1e-5);
            assertThat(Tensors.maxDifference(beta.grad(), source.read(form + ".dbeta")))
                    .isLessThan(1e-5);
            mixA.close();
            mixB.close();
        }
    }

    private static Tensor start(long seed) {
        try (SeededBasis basis = new SeededBasis(seed)) {
            return basis.uniform(DType.F32, SeededBasis.linearBound(12), 3, 12);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 7, 64, 1000})
    void of_anyBlockSize_sameFactor(long perBlock) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled();
                RandomMix whole = new RandomMix(5, 4, 16, 1, 0.1, null, 100);
                RandomMix blocks = new RandomMix(5, 4, 16, 1, 0.1, null, perBlock)) {
            Tensor c = Tensors.empty(DType.F32, 100).uniform_(-1, 1, new Seed(9).generator());
            assertThat(Tensors.maxDifference(whole.of(c), blocks.of(c))).isLessThan(1e-6);
        }
    }

    @Test
    void of_changedCoefficients_mixesAnew() {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled();
                RandomMix mix = new RandomMix(5, 4, 16, 1, 1, null)) {
            Tensor c = Tensors.zeros(DType.F32, 3);
            assertThat(mix.of(c).abs().max().item_double()).isZero();
            c.narrow(0, 1, 1).add_(Tensors.ones(DType.F32, 1)); // in place, through a view, as an optimizer may
            assertThat(mix.of(c).abs().max().item_double()).isPositive();
        }
    }

    @Test
    void of_manyMatrices_holdsAFractionOfTheBasis() {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled();
                RandomMix mix = new RandomMix(5, 8, 1024, 1, 1, null)) {
            Tensor c = Tensors.zeros(DType.F32, 4096); // the whole basis would be 128 MiB
            mix.of(c);
            long before = Pointer.physicalBytes();
            c.add_(Tensors.ones(DType.F32, 4096));
            mix.of(c);
            assertThat(Pointer.physicalBytes() - before).isLessThan(16L << 20);
        }
    }
}
