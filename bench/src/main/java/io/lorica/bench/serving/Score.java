package io.lorica.bench.serving;

import java.util.Arrays;
import java.util.List;

/**
 * How a server did in a window of time, all that was offered in it counted.
 *
 * @param tokensPerSecond tokens of answers that came within the window, finished or not, a second
 * @param requestsPerSecond answers finished within the window, a second
 * @param firstTokenMean seconds, of the requests that had a first token; as the two percentiles
 * @param attainment share of requests whose first token came within {@link #AIM}, of those sent early enough to wait that
 *     long; refused ones count as missed (the paper's SLO attainment)
 * @param sent requests in the window
 * @param refused of these, answered with another status than 200
 * @param peakBytes most memory the server's processes held together; 0 where the system does not say
 * @param readySeconds from the start of its process until it answers
 */
public record Score(
        double tokensPerSecond,
        double requestsPerSecond,
        double firstTokenMean,
        double firstTokenMedian,
        double firstToken99,
        double attainment,
        int sent,
        int refused,
        long peakBytes,
        double readySeconds) {
    /** Seconds to the first token that S-LoRA's early abort aims at. */
    static final double AIM = 6;

    static Score of(List<Outcome> outcomes, double window, long peakBytes, double readySeconds) {
        double[] first = outcomes.stream()
                .mapToDouble(Outcome::firstToken)
                .filter(value -> !Double.isNaN(value))
                .sorted()
                .toArray();
        List<Outcome> judged = outcomes.stream()
                .filter(outcome -> outcome.at() + AIM <= window)
                .toList();
        long kept =
                judged.stream().filter(outcome -> outcome.firstToken() <= AIM).count();
        return new Score(
                outcomes.stream().mapToInt(Outcome::tokens).sum() / window,
                outcomes.stream().filter(Outcome::finished).count() / window,
                Arrays.stream(first).average().orElse(Double.NaN),
                quantile(first, 0.5),
                quantile(first, 0.99),
                judged.isEmpty() ? Double.NaN : (double) kept / judged.size(),
                outcomes.size(),
                (int) outcomes.stream().filter(Outcome::refused).count(),
                peakBytes,
                readySeconds);
    }

    private static double quantile(double[] sorted, double share) {
        return sorted.length == 0 ? Double.NaN : sorted[(int) (share * (sorted.length - 1))];
    }
}
