package io.lorica.train.eval;

import io.lorica.model.CausalModel;
import io.lorica.model.Generation;
import io.lorica.model.Tokenizer;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;

/**
 * Word error rate of greedy answers: the fewest words put in, left out or exchanged that turn what was heard into what was
 * said, over the words said. Words are what white space parts; case and punctuation count. It may exceed 1.
 */
public final class WordErrorRate {
    private WordErrorRate() {}

    /**
     * {@code word_error_rate} over all questions, its interval by bootstrap over them.
     *
     * @param task its name, for the result
     * @param maxTokens of an answer
     * @param done receives the number of questions answered so far
     */
    public static EvalResult of(
            String task,
            CausalModel model,
            Tokenizer tokenizer,
            List<ExactMatch.Question> questions,
            int maxTokens,
            IntConsumer done) {
        List<Generation> heard = ExactMatch.answers(model, tokenizer, questions, maxTokens, done);
        int count = questions.size();
        double[] errors = new double[count];
        double[] words = new double[count];
        for (int i = 0; i < count; i++) {
            List<String> said = words(questions.get(i).answer());
            errors[i] = errors(said, words(heard.get(i).text()));
            words[i] = said.size();
        }
        SequencedMap<String, Interval> values = new LinkedHashMap<>();
        values.put("word_error_rate", Interval.bootstrap(count, items -> sum(errors, items) / sum(words, items)));
        return new EvalResult(task, count, values);
    }

    private static List<String> words(String text) {
        return Arrays.stream(text.strip().split("\\s+"))
                .filter(word -> !word.isEmpty())
                .toList();
    }

    private static double sum(double[] values, int[] items) {
        return Arrays.stream(items).mapToDouble(item -> values[item]).sum();
    }

    /** Levenshtein's distance of two lists of words. */
    public static <T> int errors(List<T> said, List<T> heard) {
        int[] row = IntStream.rangeClosed(0, heard.size()).toArray();
        for (int i = 1; i <= said.size(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= heard.size(); j++) {
                int exchanged = diagonal + (said.get(i - 1).equals(heard.get(j - 1)) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(exchanged, 1 + Math.min(row[j], row[j - 1]));
            }
        }
        return row[heard.size()];
    }
}
