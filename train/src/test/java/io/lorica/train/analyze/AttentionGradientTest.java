package io.lorica.train.analyze;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Exact and approximate gradients of a head against autograd, powers of the scores, and known numbers. */
class AttentionGradientTest {
    private static final double BETA = 0.5;
    private static final int D = 4;

    private final Scope scope = Scope.open();

    @AfterEach
    void free() {
        scope.close();
    }

    private static Tensor gaussian(String name, long... shape) {
        return Tensors.to(torch.randn(shape, new Seed(7).of(name).generator()), DType.F64);
    }

    private static Tensor withLargest(double value, Tensor x) {
        return x.mul(new Scalar(value / x.abs().max().item_double()));
    }

    private static AttentionHead head(long length, double gamma) {
        return new AttentionHead(
                withLargest(gamma, gaussian("q", length, D)),
                withLargest(gamma, gaussian("k", length, D)),
                gaussian("v", length, D),
                BETA);
    }

    private static double bound(AttentionHead head) {
        return head.q().matmul(head.k().t()).abs().max().item_double() * head.beta();
    }

    private static double relative(Tensor actual, Tensor expected) {
        return actual.sub(expected).norm().item_double() / expected.norm().item_double();
    }

    private static double largest(Tensor x) {
        return x.abs().max().item_double();
    }

    private static HeadGradients approximate(AttentionHead head, Upstream upstream, int degree) {
        return new AlmostLinearGradient(Exponential.taylorOfDegree(bound(head), degree), 100, 20_000)
                .of(head, upstream);
    }

    @Test
    void exact_gradients_areAutogradsThroughSoftmax() {
        AttentionHead head = head(37, 2);
        Tensor target = gaussian("y", 37, D);
        Tensor q = head.q().detach().clone().set_requires_grad(true);
        Tensor k = head.k().detach().clone().set_requires_grad(true);
        Tensor v = head.v().detach().clone().set_requires_grad(true);
        Tensor output = torch.softmax(q.matmul(k.t()).mul(new Scalar(BETA)), -1).matmul(v);
        output.sub(target).square().sum().mul(new Scalar(0.5)).backward();

        HeadGradients exact = new ExactGradient(10).of(head, Upstream.towards(target));

        assertThat(largest(exact.output().sub(output.detach()))).isLessThan(1e-12);
        assertThat(largest(exact.dQ().sub(q.grad()))).isLessThan(1e-10);
        assertThat(largest(exact.dK().sub(k.grad()))).isLessThan(1e-10);
        assertThat(largest(exact.dV().sub(v.grad()))).isLessThan(1e-10);
    }

    @Test
    void projection_gradients_areAutogradsAtTheFactors() {
        Tensor x = gaussian("x", 20, 6);
        Tensor weight = gaussian("w", D, 6);
        Tensor a = gaussian("a", 2, 6).set_requires_grad(true);
        Tensor b = gaussian("b", D, 2).set_requires_grad(true);
        Tensor upstream = gaussian("g", 20, D);
        AdaptedProjection projection = new AdaptedProjection(x, weight, a, b, 1.5);
        projection.value().mul(upstream).sum().backward();

        AdaptedProjection.Gradient gradient = projection.gradient(upstream);

        assertThat(largest(gradient.dA().sub(a.grad()))).isLessThan(1e-10);
        assertThat(largest(gradient.dB().sub(b.grad()))).isLessThan(1e-10);
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 4, 6})
    void features_innerProducts_areThePolynomialOfTheScores(int degree) {
        AttentionHead head = head(30, 1.5);
        Scalar root = new Scalar(Math.sqrt(BETA));
        MonomialFeatures features = new MonomialFeatures(D, Exponential.taylorOfDegree(3, degree));
        Tensor product = features.phi(head.q().mul(root))
                .matmul(features.psi(head.k().mul(root)).t());
        Tensor scores = head.q().matmul(head.k().t()).mul(new Scalar(BETA));
        Tensor power = torch.ones_like(scores);
        Tensor expected = torch.ones_like(scores);
        for (int j = 1; j <= degree; j++) {
            power = power.mul(scores).div(new Scalar((double) j));
            expected = expected.add(power);
        }
        assertThat(largest(product.sub(expected))).isLessThan(1e-12);
    }

    @ParameterizedTest
    @CsvSource({"2,15", "4,70", "6,210", "8,495", "10,1001"})
    void features_number_isTheBinomial(int degree, long rank) {
        assertThat(new MonomialFeatures(D, Exponential.taylorOfDegree(1, degree)).size())
                .isEqualTo(rank);
        assertThat(MonomialFeatures.count(D, degree)).isEqualTo((double) rank);
    }

    /** The errors of dB_Q that were measured elsewhere at L = 1024; high degrees hang on the few largest scores drawn. */
    @ParameterizedTest
    @CsvSource({"0.5,2,4e-5", "0.5,4,1e-8", "1,2,2e-3", "1,4,1e-5", "1,6,4e-8", "2,4,7e-3", "2,8,1e-5", "4,4,0.46"})
    void approximate_errorOfTheFactorsGradient_isOfTheKnownOrder(double gamma, int degree, double published) {
        AttentionHead head = head(1024, gamma);
        Upstream upstream = Upstream.of(gaussian("e", 1024, D));
        AdaptedProjection projection = new AdaptedProjection(
                gaussian("x", 1024, 8), gaussian("w", D, 8), gaussian("a", 2, 8), gaussian("b", D, 2), 1);
        Tensor exact = projection
                .gradient(new ExactGradient(256).of(head, upstream).dQ())
                .dB();
        Tensor found =
                projection.gradient(approximate(head, upstream, degree).dQ()).dB();
        assertThat(relative(found, exact)).isBetween(published / 10, published * 10);
    }

    @Test
    void approximate_higherDegree_isNearerInEveryGradient() {
        AttentionHead head = head(200, 1.5);
        Upstream upstream = Upstream.towards(gaussian("y", 200, D));
        HeadGradients exact = new ExactGradient(64).of(head, upstream);
        double[] before = {1, 1, 1, 1};
        for (int degree = 2; degree <= 8; degree += 2) {
            HeadGradients found = approximate(head, upstream, degree);
            double[] errors = {
                relative(found.output(), exact.output()),
                relative(found.dQ(), exact.dQ()),
                relative(found.dK(), exact.dK()),
                relative(found.dV(), exact.dV())
            };
            for (int i = 0; i < errors.length; i++) {
                assertThat(errors[i]).isLessThan(before[i]);
            }
            before = errors;
        }
    }

    @Test
    void approximate_blockSize_changesNothing() {
        AttentionHead head = head(90, 1);
        Upstream upstream = Upstream.towards(gaussian("y", 90, D));
        Exponential p = Exponential.taylor(bound(head), 1e-3);
        HeadGradients small = new AlmostLinearGradient(p, 7, 20_000).of(head, upstream);
        HeadGradients whole = new AlmostLinearGradient(p, 90, 20_000).of(head, upstream);
        assertThat(largest(small.dQ().sub(whole.dQ()))).isLessThan(1e-12);
        assertThat(largest(small.dK().sub(whole.dK()))).isLessThan(1e-12);
        assertThat(largest(small.dV().sub(whole.dV()))).isLessThan(1e-12);
    }

    @Test
    void approximate_chebyshevPolynomial_reachesTheGradientsToo() {
        AttentionHead head = head(120, 2);
        Upstream upstream = Upstream.of(gaussian("e", 120, D));
        Exponential p = Exponential.chebyshev(bound(head), 1e-5);
        HeadGradients found = new AlmostLinearGradient(p, 64, 20_000).of(head, upstream);
        HeadGradients exact = new ExactGradient(64).of(head, upstream);
        assertThat(relative(found.dQ(), exact.dQ())).isLessThan(1e-4);
        assertThat(relative(found.dK(), exact.dK())).isLessThan(1e-4);
    }

    /** Rows of dS sum to 0 exactly where adding one vector to all keys leaves dQ as it is: dQ = beta dS K. */
    @Test
    void gradients_ofScores_sumToZeroInEveryRow() {
        AttentionHead head = head(50, 1);
        AttentionHead ones = new AttentionHead(head.q(), torch.ones_like(head.k()), head.v(), BETA);
        Upstream upstream = Upstream.of(gaussian("e", 50, D));
        assertThat(largest(new ExactGradient(16).of(ones, upstream).dQ())).isLessThan(1e-12);
        assertThat(largest(approximate(ones, upstream, 6).dQ())).isLessThan(1e-12);
    }

    @Test
    void gradients_ofNoUpstream_areZero() {
        AttentionHead head = head(40, 1);
        Upstream none = Upstream.of(torch.zeros_like(head.v()));
        HeadGradients found = approximate(head, none, 4);
        assertThat(largest(found.dQ()) + largest(found.dK()) + largest(found.dV()))
                .isZero();
    }

    @Test
    void gradients_ofOneToken_reachOnlyTheValue() {
        AttentionHead head = head(1, 1);
        Upstream upstream = Upstream.of(gaussian("e", 1, D));
        HeadGradients exact = new ExactGradient(1).of(head, upstream);
        HeadGradients found = approximate(head, upstream, 4);
        assertThat(largest(exact.dQ()) + largest(exact.dK())).isLessThan(1e-15);
        assertThat(largest(found.dQ()) + largest(found.dK())).isLessThan(1e-14);
        assertThat(largest(found.dV().sub(exact.dV()))).isLessThan(1e-14);
    }

    @Test
    void exact_someQueries_haveTheSameRows() {
        AttentionHead head = head(60, 1);
        Tensor e = gaussian("e", 60, D);
        Tensor rows = Tensors.of(new long[] {3, 17, 59});
        HeadGradients all = new ExactGradient(16).of(head, Upstream.of(e));
        HeadGradients some = new ExactGradient(16).of(head.queries(rows), Upstream.of(e.index_select(0, rows)));
        assertThat(largest(some.dQ().sub(all.dQ().index_select(0, rows)))).isLessThan(1e-12);
    }

    @Test
    void approximate_rankAboveTheLimit_isRefusedWithTheRank() {
        AttentionHead wide = new AttentionHead(gaussian("q", 5, 64), gaussian("k", 5, 64), gaussian("v", 5, 64), 0.125);
        assertThatThrownBy(() -> new AlmostLinearGradient(Exponential.taylorOfDegree(1, 4), 5, 20_000)
                        .of(wide, Upstream.of(wide.v())))
                .isInstanceOf(LoricaException.Unsupported.class)
                .hasMessageContaining("8.14e+05")
                .hasMessageContaining("max_rank 20000");
    }
}
