package io.lorica.train.analyze;

import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * All products of powers of {@code d} numbers up to a total degree {@code g}, weighted so that inner products of
 * features are a polynomial of inner products:
 *
 * <pre>
 * phi_a(u) = sqrt(|c_n| n! / a!) u^a ,  psi_a = sign(c_n) phi_a ,  n = |a| &lt;= g ;   phi(x) . psi(y) = sum_j c_j (x . y)^j
 * </pre>
 *
 * <p>There are {@code k = C(d + g, g)} of them.
 */
final class MonomialFeatures {

    /** The monomials of one degree: each is one of the degree below, times one coordinate. */
    private record Degree(Tensor parents, Tensor coordinates) {}

    private final List<Degree> degrees = new ArrayList<>();
    private final Tensor weights;
    private final Tensor signs;

    /** Makes tensors of the caller's innermost scope, in which this must be used. */
    MonomialFeatures(int d, Exponential polynomial) {
        double[] c = polynomial.coefficients();
        List<Double> weight = new ArrayList<>(List.of(Math.sqrt(Math.abs(c[0]))));
        List<Double> sign = new ArrayList<>(List.of(Math.signum(c[0])));
        List<int[]> below = List.of(new int[d]);
        double factorial = 1;
        for (int n = 1; n <= polynomial.degree(); n++) {
            factorial *= n;
            List<int[]> powers = new ArrayList<>();
            List<Long> parents = new ArrayList<>();
            List<Long> coordinates = new ArrayList<>();
            for (int parent = 0; parent < below.size(); parent++) {
                for (int i = last(below.get(parent)); i < d; i++) { // each product once: in the order of coordinates
                    int[] power = below.get(parent).clone();
                    power[i]++;
                    powers.add(power);
                    parents.add((long) parent);
                    coordinates.add((long) i);
                    weight.add(Math.sqrt(Math.abs(c[n]) * factorial / factorials(power)));
                    sign.add(Math.signum(c[n]));
                }
            }
            degrees.add(new Degree(indices(parents), indices(coordinates)));
            below = powers;
        }
        weights = doubles(weight);
        signs = doubles(sign);
    }

    /** {@code C(d + g, g)}: exact below 2^53, infinite beyond what a double holds. */
    static double count(int d, int g) {
        double count = 1;
        for (int i = 1; i <= Math.min(d, g); i++) {
            count = count * (Math.max(d, g) + i) / i;
        }
        return count;
    }

    static void requireAtMost(long most, int d, Exponential polynomial) {
        double rank = count(d, polynomial.degree());
        if (rank > most) {
            throw new LoricaException.Unsupported(
                    "%s on heads of width %d has rank %.3g, above max_rank %d; take a larger eps,"
                                    .formatted(polynomial, d, rank, most)
                            + " a larger max_rank, or the exact gradient");
        }
    }

    /** {@code k}. */
    long size() {
        return weights.numel();
    }

    /** {@code [n, d]} to {@code [n, k]}. */
    Tensor phi(Tensor u) {
        List<Tensor> all = new ArrayList<>();
        Tensor below = torch.ones_like(u.narrow(1, 0, 1));
        all.add(below);
        for (Degree degree : degrees) {
            below = below.index_select(1, degree.parents).mul(u.index_select(1, degree.coordinates));
            all.add(below);
        }
        return torch.cat(new TensorVector(all.toArray(Tensor[]::new)), 1).mul(weights);
    }

    /** {@code [n, d]} to {@code [n, k]}. */
    Tensor psi(Tensor u) {
        return phi(u).mul(signs);
    }

    private static int last(int[] power) {
        for (int i = power.length - 1; i > 0; i--) {
            if (power[i] > 0) {
                return i;
            }
        }
        return 0;
    }

    private static double factorials(int[] power) {
        double product = 1;
        for (int p : power) {
            for (int i = 2; i <= p; i++) {
                product *= i;
            }
        }
        return product;
    }

    private static Tensor indices(List<Long> values) {
        return Tensors.of(values.stream().mapToLong(Long::longValue).toArray());
    }

    private static Tensor doubles(List<Double> values) {
        return Tensors.of(values.stream().mapToDouble(Double::doubleValue).toArray(), values.size());
    }
}
