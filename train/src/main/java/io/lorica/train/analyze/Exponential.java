package io.lorica.train.analyze;

import io.lorica.tensor.LoricaException;
import java.util.Arrays;

/**
 * A polynomial {@code p(x) = sum_j c_j x^j} in the place of {@code exp} on {@code [-bound, bound]}.
 *
 * @param coefficients {@code c_0 .. c_g}
 * @param bound largest magnitude of a score
 * @param error largest relative error there: the bound {@code e^b b^(g+1) / (g+1)!} of Taylor's, what a fine grid
 *     shows of Chebyshev's
 */
public record Exponential(double[] coefficients, double bound, double error) {
    private static final int LARGEST_DEGREE = 400;
    private static final int GRID = 4001;

    public int degree() {
        return coefficients.length - 1;
    }

    /**
     * Taylor's polynomial of the smallest even degree whose error bound is at most {@code eps}. Even, so that it is
     * positive everywhere: the sums of a row are its divisors.
     *
     * @param bound at least 0
     * @param eps above 0 and below 1
     * @throws LoricaException.Unsupported where scores are so large that no degree up to 400 will do
     */
    public static Exponential taylor(double bound, double eps) {
        int degree = taylorDegree(bound, eps);
        if (degree > LARGEST_DEGREE) {
            throw tooLarge(bound, eps);
        }
        return taylorOfDegree(bound, degree);
    }

    /** The degree that {@link #taylor} takes, however large. */
    public static int taylorDegree(double bound, double eps) {
        requireSensible(bound, eps);
        // the error is e^b b^(g+1) / (g+1)!, whose factors overflow long before the quotient matters
        double logError = bound + 3 * Math.log(bound) - Math.log(6);
        int degree = 2;
        while (bound > 0 && logError > Math.log(eps)) {
            logError += 2 * Math.log(bound) - Math.log(degree + 2.0) - Math.log(degree + 3.0);
            degree += 2;
        }
        return degree;
    }

    /** @throws LoricaException.BadInput where the degree is odd (it goes negative) or below 2 */
    public static Exponential taylorOfDegree(double bound, int degree) {
        if (degree < 2 || degree % 2 != 0) {
            throw new LoricaException.BadInput("degree is " + degree
                    + ", but Taylor's polynomial of exp is positive everywhere only for an even degree of at least 2");
        }
        double[] coefficients = new double[degree + 1];
        coefficients[0] = 1;
        double error = Math.exp(bound);
        for (int j = 1; j <= degree; j++) {
            coefficients[j] = coefficients[j - 1] / j;
            error *= bound / j;
        }
        return new Exponential(coefficients, bound, error * bound / (degree + 1));
    }

    /**
     * Interpolates {@code exp} at Chebyshev's nodes, with the smallest degree whose relative error on a grid is at most
     * {@code eps}; about half of Taylor's degree for large bounds.
     *
     * @throws LoricaException.Unsupported where powers of x in double precision cannot reach {@code eps}
     */
    public static Exponential chebyshev(double bound, double eps) {
        requireSensible(bound, eps);
        double radius = Math.max(bound, 1e-3);
        double best = Double.POSITIVE_INFINITY;
        for (int degree = 1; degree <= 60 && best > eps; degree++) {
            double[] coefficients = interpolation(radius, degree);
            Exponential found = new Exponential(coefficients, radius, gridError(coefficients, radius));
            if (found.error <= eps) {
                return found; // positive, too: a relative error below 1 leaves no room for another sign
            }
        }
        throw tooLarge(bound, eps);
    }

    /** Largest relative error of an entry of {@code softmax} computed with this: twice that of exp, and a bit more. */
    public double entryError() {
        return 2 * error / (1 - error);
    }

    double at(double x) {
        double value = 0;
        for (int j = degree(); j >= 0; j--) {
            value = value * x + coefficients[j];
        }
        return value;
    }

    private static double[] interpolation(double radius, int degree) {
        int nodes = degree + 1;
        double[] sum = new double[nodes];
        double[] before = new double[nodes];
        double[] current = new double[nodes];
        before[0] = 1; // T_0
        if (degree >= 1) {
            current[1] = 1; // T_1, in x / radius
        }
        for (int j = 0; j <= degree; j++) {
            double[] t = j == 0 ? before : current;
            double weight = chebyshevCoefficient(radius, nodes, j);
            for (int i = 0; i < nodes; i++) {
                sum[i] += weight * t[i];
            }
            if (j >= 1) {
                double[] next = new double[nodes];
                for (int i = 0; i < nodes; i++) {
                    next[i] = (i > 0 ? 2 * current[i - 1] : 0) - before[i];
                }
                before = current;
                current = next;
            }
        }
        for (int i = 0; i < nodes; i++) {
            sum[i] /= Math.pow(radius, i);
        }
        return sum;
    }

    private static double chebyshevCoefficient(double radius, int nodes, int j) {
        double sum = 0;
        for (int i = 0; i < nodes; i++) {
            double angle = Math.PI * (i + 0.5) / nodes;
            sum += Math.exp(radius * Math.cos(angle)) * Math.cos(j * angle);
        }
        return sum * (j == 0 ? 1 : 2) / nodes;
    }

    private static double gridError(double[] coefficients, double radius) {
        Exponential p = new Exponential(coefficients, radius, 0);
        double worst = 0;
        for (int i = 0; i < GRID; i++) {
            double x = radius * (2.0 * i / (GRID - 1) - 1);
            worst = Math.max(worst, Math.abs(p.at(x) / Math.exp(x) - 1));
        }
        return worst;
    }

    private static void requireSensible(double bound, double eps) {
        if (!(bound >= 0) || Double.isInfinite(bound)) {
            throw new LoricaException.BadInput("the bound of the scores is " + bound + ", but must be finite and >= 0");
        }
        if (!(eps > 0 && eps < 1)) {
            throw new LoricaException.BadInput("eps is " + eps + ", but must lie between 0 and 1");
        }
    }

    private static LoricaException tooLarge(double bound, double eps) {
        return new LoricaException.Unsupported("scores up to " + bound
                + " are too large for a polynomial of exp with relative error " + eps
                + " in double precision; take a larger eps, or the exact gradient");
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Exponential that
                && Arrays.equals(coefficients, that.coefficients)
                && bound == that.bound
                && error == that.error;
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(coefficients);
    }

    @Override
    public String toString() {
        return "polynomial of degree " + degree() + " for exp on +-" + bound;
    }
}
