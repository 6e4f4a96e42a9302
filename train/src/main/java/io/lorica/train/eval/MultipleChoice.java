package io.lorica.train.eval;

import io.lorica.model.CausalModel;
import io.lorica.model.Tokenizer;
import io.lorica.tensor.LoricaException;
import io.lorica.train.data.Example;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.function.IntConsumer;

/**
 * Choices ranked by the model's log-likelihood of each, given its context: {@code acc} by the sum over the tokens,
 * {@code acc_norm} by that sum over the characters without the space before them, as lm-evaluation-harness defines
 * them. Text is split as there: trailing spaces of the context belong to what follows, whose tokens are those of the
 * whole after the tokens of the context. What is too long for the model loses its beginning, as there; how often that
 * happened is noted.
 */
public final class MultipleChoice {
    private MultipleChoice() {}

    /** What is scored, {@code text}, after a context. */
    public record Option(String context, String text) {}

    /** @param answer index of the right option */
    public record Question(List<Option> options, int answer) {
        public Question {
            options = List.copyOf(options);
            if (answer < 0 || answer >= options.size()) {
                throw new IllegalArgumentException("answer " + answer + " of " + options.size() + " choices");
            }
        }

        /** Choices after one context. */
        public Question(String context, List<String> choices, int answer) {
            this(choices.stream().map(choice -> new Option(context, choice)).toList(), answer);
        }
    }

    /**
     * @param task its name, for the result
     * @param done receives the number of choices scored so far
     */
    public static EvalResult of(
            String task, CausalModel model, Tokenizer tokenizer, List<Question> questions, IntConsumer done) {
        List<List<Example>> groups = new ArrayList<>();
        for (Question question : questions) {
            groups.add(question.options().stream()
                    .map(option -> example(tokenizer, option))
                    .toList());
        }
        long tooLong = groups.stream()
                .flatMap(List::stream)
                .filter(example -> example.length() > model.contextLength())
                .count();
        double[][] scores = scores(model, groups, done);
        long hits = 0;
        long normed = 0;
        for (int i = 0; i < scores.length; i++) {
            Question question = questions.get(i);
            double[] perCharacter = new double[scores[i].length];
            for (int j = 0; j < perCharacter.length; j++) {
                perCharacter[j] =
                        scores[i][j] / characters(question.options().get(j).text());
            }
            hits += best(scores[i]) == question.answer() ? 1 : 0;
            normed += best(perCharacter) == question.answer() ? 1 : 0;
        }
        SequencedMap<String, Interval> values = new LinkedHashMap<>();
        values.put("acc", Interval.wilson(hits, scores.length));
        values.put("acc_norm", Interval.wilson(normed, scores.length));
        List<String> notes = tooLong == 0
                ? List.of()
                : List.of(tooLong + " choices were longer than the model's " + model.contextLength()
                        + " positions and lost the beginning of their context");
        return new EvalResult(task, scores.length, values, notes);
    }

    /** Log-likelihoods in nats, by question and choice. */
    static double[][] scores(CausalModel model, List<List<Example>> groups, IntConsumer done) {
        List<List<Example>> fitting = groups.stream()
                .map(group -> group.stream()
                        .map(example -> last(example, model.contextLength()))
                        .toList())
                .toList();
        List<float[]> flat = TargetScores.ofGroups(model, fitting, done);
        double[][] scores = new double[groups.size()][];
        int at = 0;
        for (int i = 0; i < scores.length; i++) {
            scores[i] = new double[groups.get(i).size()];
            for (int j = 0; j < scores[i].length; j++) {
                for (float score : flat.get(at)) {
                    scores[i][j] += score;
                }
                at++;
            }
        }
        return scores;
    }

    private static Example example(Tokenizer tokenizer, Option option) {
        String context = option.context().stripTrailing();
        long[] tokens = tokenizer.encode(option.context() + option.text(), true);
        int start = Math.min(tokens.length, Math.max(1, tokenizer.encode(context, true).length));
        boolean[] supervised = new boolean[tokens.length];
        Arrays.fill(supervised, start, tokens.length, true);
        return Example.ofTokens(tokens, supervised);
    }

    private static Example last(Example whole, int length) {
        int from = Math.max(0, whole.length() - length);
        Example cut = Example.ofTokens(
                Arrays.copyOfRange(whole.tokens(), from, whole.length()),
                Arrays.copyOfRange(whole.supervised(), from, whole.length()));
        if (cut.supervisedTokens() < whole.supervisedTokens() || cut.supervised()[0]) {
            throw new LoricaException.BadInput("a choice has " + whole.supervisedTokens()
                    + " tokens, but the model has only " + length + " positions; leave the question out");
        }
        return cut;
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
