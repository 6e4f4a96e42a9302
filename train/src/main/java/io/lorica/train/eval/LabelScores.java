package io.lorica.train.eval;

import io.lorica.model.Batch;
import io.lorica.model.ClassifierModel;
import io.lorica.model.Pass;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import io.lorica.train.data.Example;
import io.lorica.train.data.Labels;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;

/** How well a classifier's highest score, or a regression's value, agrees with the labels. */
public final class LabelScores {
    private static final int BATCH = 16;

    private LabelScores() {}

    /** As {@link #of(String, ClassifierModel, List, Labels, IntConsumer)}, telling nobody. */
    public static EvalResult of(String task, ClassifierModel model, List<Example> examples, Labels labels) {
        return of(task, model, examples, labels, _ -> {});
    }

    /**
     * {@code accuracy}, {@code macro_f1} and {@code matthews} of a classification; {@code pearson}, {@code spearman} and
     * {@code mse} of a regression. See {@link Classification}.
     *
     * @param task its name, for the result
     * @param done receives the number of examples scored so far
     */
    public static EvalResult of(
            String task, ClassifierModel model, List<Example> examples, Labels labels, IntConsumer done) {
        float[][] scores = scores(model, examples, done);
        SequencedMap<String, Interval> values = new LinkedHashMap<>();
        if (labels.isRegression()) {
            regression(examples, scores, values);
        } else {
            classification(examples, scores, values);
        }
        return new EvalResult(task, examples.size(), values);
    }

    /** {@code [examples][labels]}. */
    static float[][] scores(ClassifierModel model, List<Example> examples, IntConsumer done) {
        float[][] scores = new float[examples.size()][];
        for (int from = 0; from < scores.length; from += BATCH) {
            int to = Math.min(scores.length, from + BATCH);
            try (Scope _ = Scope.open();
                    Grad _ = Grad.disabled()) {
                Batch batch = Example.batch(examples.subList(from, to));
                float[] flat = Tensors.floats(Tensors.to(model.scores(batch, Pass.inference()), DType.F32));
                for (int i = from; i < to; i++) {
                    int start = (i - from) * model.labels();
                    scores[i] = Arrays.copyOfRange(flat, start, start + model.labels());
                }
            }
            done.accept(to);
        }
        return scores;
    }

    private static void classification(
            List<Example> examples, float[][] scores, SequencedMap<String, Interval> values) {
        int[] truth =
                examples.stream().mapToInt(example -> (int) example.label()).toArray();
        int[] predicted = Arrays.stream(scores).mapToInt(LabelScores::highest).toArray();
        int[] all = IntStream.range(0, truth.length).toArray();
        values.put("accuracy", Interval.wilson(Classification.hits(truth, predicted, all), truth.length));
        values.put(
                "macro_f1", Interval.bootstrap(truth.length, items -> Classification.macroF1(truth, predicted, items)));
        values.put(
                "matthews",
                Interval.bootstrap(truth.length, items -> Classification.matthews(truth, predicted, items)));
    }

    private static void regression(List<Example> examples, float[][] scores, SequencedMap<String, Interval> values) {
        double[] truth = examples.stream().mapToDouble(Example::label).toArray();
        double[] predicted = Arrays.stream(scores).mapToDouble(row -> row[0]).toArray();
        values.put(
                "pearson",
                Interval.bootstrap(
                        truth.length, items -> Classification.pearson(pick(truth, items), pick(predicted, items))));
        values.put(
                "spearman",
                Interval.bootstrap(
                        truth.length, items -> Classification.spearman(pick(truth, items), pick(predicted, items))));
        values.put(
                "mse",
                Interval.bootstrap(
                        truth.length,
                        items -> IntStream.of(items)
                                .mapToDouble(i -> (truth[i] - predicted[i]) * (truth[i] - predicted[i]))
                                .average()
                                .orElse(Double.NaN)));
    }

    private static int highest(float[] row) {
        return IntStream.range(0, row.length)
                .reduce((best, i) -> row[i] > row[best] ? i : best)
                .orElseThrow();
    }

    private static double[] pick(double[] values, int[] items) {
        return IntStream.of(items).mapToDouble(i -> values[i]).toArray();
    }
}
