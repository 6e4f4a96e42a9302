package io.lorica.train.eval;

import io.lorica.model.CausalModel;
import io.lorica.model.Tokenizer;
import io.lorica.train.data.Example;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;

/** How well a model predicts the targets of held-out examples. */
public final class Perplexity {
    private Perplexity() {}

    /**
     * {@code loss}: nats per target, every target of equal weight; {@code perplexity}: its exponential;
     * {@code bits_per_byte}: all nats over ln 2 and the UTF-8 bytes of the targets' text, special tokens not counted as
     * bytes. Intervals by bootstrap over examples.
     *
     * @param done receives the number of examples finished so far
     */
    public static EvalResult of(CausalModel model, Tokenizer tokenizer, List<Example> examples, IntConsumer done) {
        List<float[]> scores = TargetScores.of(model, examples, done);
        double[] nats = scores.stream().mapToDouble(Perplexity::nats).toArray();
        double[] targets = scores.stream().mapToDouble(score -> score.length).toArray();
        double[] bytes = examples.stream()
                .mapToDouble(example -> bytes(tokenizer, example))
                .toArray();
        SequencedMap<String, Interval> values = new LinkedHashMap<>();
        values.put("loss", Interval.bootstrap(nats.length, items -> sum(nats, items) / sum(targets, items)));
        values.put(
                "perplexity",
                Interval.bootstrap(nats.length, items -> Math.exp(sum(nats, items) / sum(targets, items))));
        if (Arrays.stream(bytes).allMatch(count -> count > 0)) {
            values.put(
                    "bits_per_byte",
                    Interval.bootstrap(nats.length, items -> sum(nats, items) / Math.log(2) / sum(bytes, items)));
        }
        return new EvalResult("perplexity", nats.length, values);
    }

    private static double nats(float[] scores) {
        double sum = 0;
        for (float score : scores) {
            sum -= score;
        }
        return sum;
    }

    private static int bytes(Tokenizer tokenizer, Example example) {
        long[] ids = IntStream.range(0, example.length())
                .filter(i -> example.supervised()[i])
                .mapToLong(i -> example.tokens()[i])
                .toArray();
        return tokenizer.decode(ids, true).getBytes(StandardCharsets.UTF_8).length;
    }

    private static double sum(double[] values, int[] items) {
        double sum = 0;
        for (int item : items) {
            sum += values[item];
        }
        return sum;
    }
}
