package io.lorica.train.eval;

import io.lorica.model.CausalModel;
import io.lorica.model.Tokenizer;
import io.lorica.train.data.Example;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.function.IntConsumer;

/**
 * Choices ranked by the model's log-likelihood of each, given the context: {@code acc} by the sum over the choice's
 * tokens, {@code acc_norm} by that sum over the choice's characters without the space before it, as
 * lm-evaluation-harness defines them. Text is split as there: trailing spaces of the context belong to the choice, and the choice's tokens are those of the whole
 * after the tokens of the context.
 */
public final class MultipleChoice {
    private MultipleChoice() {}

    /** @param answer index of the right choice */
    public record Question(String context, List<String> choices, int answer) {
        public Question {
            choices = List.copyOf(choices);
            if (answer < 0 || answer >= choices.size()) {
                throw new IllegalArgumentException("answer " + answer + " of " + choices.size() + " choices");
            }
        }
    }

    /**
     * @param task its name, for the result
     * @param done receives the number of choices scored so far
     */
    public static EvalResult of(
            String task, CausalModel model, Tokenizer tokenizer, List<Question> questions, IntConsumer done) {
        double[][] scores = scores(model, tokenizer, questions, done);
        long hits = 0;
        long normed = 0;
        for (int i = 0; i < scores.length; i++) {
            Question question = questions.get(i);
            double[] perCharacter = new double[scores[i].length];
            for (int j = 0; j < perCharacter.length; j++) {
                perCharacter[j] = scores[i][j] / characters(question.choices().get(j));
            }
            hits += best(scores[i]) == question.answer() ? 1 : 0;
            normed += best(perCharacter) == question.answer() ? 1 : 0;
        }
        SequencedMap<String, Interval> values = new LinkedHashMap<>();
        values.put("acc", Interval.wilson(hits, scores.length));
        values.put("acc_norm", Interval.wilson(normed, scores.length));
        return new EvalResult(task, scores.length, values);
    }

    /** Log-likelihoods in nats, by question and choice. */
    static double[][] scores(CausalModel model, Tokenizer tokenizer, List<Question> questions, IntConsumer done) {
        List<Example> examples = new ArrayList<>();
        for (Question question : questions) {
            question.choices().forEach(choice -> examples.add(example(tokenizer, question.context(), choice)));
        }
        List<float[]> flat = TargetScores.of(model, examples, done);
        double[][] scores = new double[questions.size()][];
        int at = 0;
        for (int i = 0; i < scores.length; i++) {
            scores[i] = new double[questions.get(i).choices().size()];
            for (int j = 0; j < scores[i].length; j++) {
                for (float score : flat.get(at)) {
                    scores[i][j] += score;
                }
                at++;
            }
        }
        return scores;
    }

    private static Example example(Tokenizer tokenizer, String context, String choice) {
        String stripped = context.stripTrailing();
        String whole = context + choice;
        long[] tokens = tokenizer.encode(whole, true);
        int start = Math.min(tokens.length, Math.max(1, tokenizer.encode(stripped, true).length));
        boolean[] supervised = new boolean[tokens.length];
        Arrays.fill(supervised, start, tokens.length, true);
        return Example.ofTokens(tokens, supervised);
    }

    private static int best(double[] values) {
        int best = 0;
        for (int i = 1; i < values.length; i++) {
            best = values[i] > values[best] ? i : best;
        }
        return best;
    }

    /** Code points of a choice, the space that parts it from the context not counted; at least 1. */
    static int characters(String choice) {
        String text = choice.stripLeading();
        return Math.max(1, text.codePointCount(0, text.length()));
    }
}
