package io.lorica.train.analyze;

import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.SequencedMap;
import java.util.function.Consumer;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.Tensor;

/**
 * What the almost linear-time LoRA gradient errs and costs beside the exact one, on random heads whose queries, keys
 * and values are scaled to a chosen largest entry {@code gamma}.
 */
public final class GradientStudy {
    private static final List<Integer> DEGREES = List.of(2, 4, 6, 8);
    private static final List<Double> GAMMAS = List.of(0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0);
    private static final double TIMED_GAMMA = 1;
    private static final int SAMPLED = 256;
    private static final double LEAST_SECONDS = 0.3;

    private final GradientConfig config;

    public GradientStudy(GradientConfig config) {
        this.config = config;
    }

    /**
     * Errors at one size of entries and one degree.
     *
     * @param ratio {@code Gamma / sqrt(ln L)}
     * @param relative Frobenius error by the gradient's name
     * @param largest absolute error, the paper's norm, by the gradient's name
     */
    public record ErrorRow(
            double gamma,
            double ratio,
            int degree,
            double rank,
            SequencedMap<String, Double> relative,
            SequencedMap<String, Double> largest) {}

    /**
     * What one size of entries takes.
     *
     * @param bound Cauchy-Schwarz bound of the scores
     * @param promised degree that the bound asks for
     * @param needed smallest even degree whose worst measured error is at most eps; empty where its rank would be above
     *     the limit
     */
    public record RankRow(double gamma, double ratio, double bound, int promised, OptionalInt needed) {}

    /**
     * Seconds at one length.
     *
     * @param exact NaN above the longest exact run
     * @param error worst relative error, that of sampled queries where the exact run is left out
     */
    public record TimeRow(int length, int degree, double rank, double exact, double approximate, double error) {}

    /** Errors and ranks at one length, times at several. */
    public record Result(List<ErrorRow> errors, List<RankRow> ranks, List<TimeRow> times) {}

    /** @param progress receives a line for each part that is done */
    public Result run(Consumer<String> progress) {
        List<ErrorRow> errors = new ArrayList<>();
        List<RankRow> ranks = new ArrayList<>();
        for (double gamma : GAMMAS) {
            try (Scope _ = Scope.open();
                    Grad _ = Grad.disabled()) {
                RandomHead head = RandomHead.of(config, config.errorLength(), gamma);
                HeadGradients exact = new ExactGradient(config.chunk()).of(head.head(), head.upstream());
                DEGREES.stream()
                        .filter(degree -> rank(degree) <= config.maxRank())
                        .forEach(degree -> errors.add(errors(gamma, degree, head, exact)));
                ranks.add(rankRow(gamma, head, exact));
            }
            progress.accept("errors of gamma " + gamma);
        }
        List<TimeRow> times = new ArrayList<>();
        Exponential polynomial = polynomial();
        for (int length : config.lengths()) {
            try (Scope _ = Scope.open();
                    Grad _ = Grad.disabled()) {
                times.add(timeRow(length, polynomial));
            }
            progress.accept("times of length " + length);
        }
        return new Result(errors, ranks, times);
    }

    private double rank(int degree) {
        return MonomialFeatures.count(config.width(), degree);
    }

    private HeadGradients approximate(RandomHead head, Exponential polynomial) {
        return new AlmostLinearGradient(polynomial, config.chunk(), config.maxRank()).of(head.head(), head.upstream());
    }

    /** Errors by the gradient's name. */
    private record Errors(SequencedMap<String, Double> relative, SequencedMap<String, Double> largest) {}

    private Errors compared(RandomHead head, HeadGradients found, HeadGradients exact) {
        SequencedMap<String, Tensor> actual = head.named(found, config);
        Errors errors = new Errors(new LinkedHashMap<>(), new LinkedHashMap<>());
        head.named(exact, config).forEach((name, expected) -> {
            Tensor got = Objects.requireNonNull(actual.get(name));
            errors.relative.put(name, relative(got, expected));
            errors.largest.put(name, got.sub(expected).abs().max().item_double());
        });
        return errors;
    }

    private ErrorRow errors(double gamma, int degree, RandomHead head, HeadGradients exact) {
        try (Scope _ = Scope.open()) {
            HeadGradients found = approximate(head, Exponential.taylorOfDegree(head.scoreBound(), degree));
            Errors errors = compared(head, found, exact);
            double ratio = RandomHead.ratio(config, config.errorLength(), gamma);
            return new ErrorRow(gamma, ratio, degree, rank(degree), errors.relative, errors.largest);
        }
    }

    private RankRow rankRow(double gamma, RandomHead head, HeadGradients exact) {
        OptionalInt needed = OptionalInt.empty();
        for (int degree = 2; rank(degree) <= config.maxRank() && needed.isEmpty(); degree += 2) {
            if (worst(errors(gamma, degree, head, exact).relative()) <= config.eps()) {
                needed = OptionalInt.of(degree);
            }
        }
        double bound = head.scoreBound();
        return new RankRow(
                gamma,
                RandomHead.ratio(config, config.errorLength(), gamma),
                bound,
                Exponential.taylorDegree(bound, config.eps()),
                needed);
    }

    private static double worst(SequencedMap<String, Double> errors) {
        return errors.values().stream().mapToDouble(Double::doubleValue).max().orElseThrow();
    }

    /** One for all lengths, so that their times differ by length alone. */
    private Exponential polynomial() {
        double bound = 0;
        for (int length : config.lengths()) {
            try (Scope _ = Scope.open();
                    Grad _ = Grad.disabled()) {
                bound = Math.max(
                        bound, RandomHead.of(config, length, TIMED_GAMMA).scoreBound());
            }
        }
        return config.chebyshev()
                ? Exponential.chebyshev(bound, config.eps())
                : Exponential.taylor(bound, config.eps());
    }

    private TimeRow timeRow(int length, Exponential polynomial) {
        RandomHead head = RandomHead.of(config, length, TIMED_GAMMA);
        double approximate = seconds(() -> approximate(head, polynomial));
        HeadGradients found = approximate(head, polynomial);
        ExactGradient way = new ExactGradient(config.chunk());
        if (length > config.exactLimit()) {
            return row(length, polynomial, Double.NaN, approximate, sampledError(head, found, way));
        }
        double exact = seconds(() -> way.of(head.head(), head.upstream()));
        HeadGradients expected = way.of(head.head(), head.upstream());
        return row(
                length,
                polynomial,
                exact,
                approximate,
                worst(compared(head, found, expected).relative()));
    }

    private TimeRow row(int length, Exponential polynomial, double exact, double approximate, double error) {
        return new TimeRow(length, polynomial.degree(), rank(polynomial.degree()), exact, approximate, error);
    }

    /** Of the output and {@code dQ} at evenly spread queries, which are exact without the others. */
    private static double sampledError(RandomHead head, HeadGradients found, ExactGradient way) {
        long length = head.head().length();
        Tensor rows = Tensors.of(LongStream.range(0, SAMPLED)
                .map(i -> i * length / SAMPLED)
                .distinct()
                .toArray());
        Upstream sampled = Upstream.towards(head.target().index_select(0, rows));
        HeadGradients expected = way.of(head.head().queries(rows), sampled);
        return Math.max(
                relative(found.output().index_select(0, rows), expected.output()),
                relative(found.dQ().index_select(0, rows), expected.dQ()));
    }

    private static double relative(Tensor actual, Tensor expected) {
        return actual.sub(expected).norm().item_double() / expected.norm().item_double();
    }

    /** The fastest of several runs, after one that warms up. */
    private static double seconds(Runnable work) {
        double best = Double.POSITIVE_INFINITY;
        double total = 0;
        for (int i = 0; i < 2 || total < LEAST_SECONDS; i++) {
            try (Scope _ = Scope.open()) {
                long start = System.nanoTime();
                work.run();
                double took = (System.nanoTime() - start) / 1e9;
                best = Math.min(best, took);
                total += took;
            }
        }
        return best;
    }
}
