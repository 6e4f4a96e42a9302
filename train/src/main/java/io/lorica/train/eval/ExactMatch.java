package io.lorica.train.eval;

import io.lorica.model.CausalModel;
import io.lorica.model.Generation;
import io.lorica.model.Sampling;
import io.lorica.model.TextGenerator;
import io.lorica.model.Tokenizer;
import io.lorica.train.data.Media;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Greedy answers compared with references: {@code exact_match} is the share whose final number equals the reference's
 * (after {@code ####}, else the last), or, where a reference has no number, whose text does but for surrounding space.
 */
public final class ExactMatch {
    private static final int GROUP = 16;

    private ExactMatch() {}

    /**
     * @param prompt token ids up to where the answer begins
     * @param media the images or the recording that some of its tokens stand for; null for text alone
     */
    public record Question(long[] prompt, @Nullable Media media, String answer) {}

    /**
     * @param task its name, for the result
     * @param maxTokens of an answer
     * @param done receives the number of questions answered so far
     */
    public static EvalResult of(
            String task,
            CausalModel model,
            Tokenizer tokenizer,
            List<Question> questions,
            int maxTokens,
            IntConsumer done) {
        List<Generation> answers = answers(model, tokenizer, questions, maxTokens, done);
        long hits = IntStream.range(0, answers.size())
                .filter(i -> same(questions.get(i).answer(), answers.get(i).text()))
                .count();
        SequencedMap<String, Interval> values = new LinkedHashMap<>();
        values.put("exact_match", Interval.wilson(hits, questions.size()));
        return new EvalResult(task, questions.size(), values);
    }

    /** Greedy answers, some side by side. */
    static List<Generation> answers(
            CausalModel model, Tokenizer tokenizer, List<Question> questions, int maxTokens, IntConsumer done) {
        List<Generation> answers = new ArrayList<>();
        for (int from = 0; from < questions.size(); from += GROUP) {
            List<Question> group = questions.subList(from, Math.min(questions.size(), from + GROUP));
            answers.addAll(TextGenerator.generateAll(
                    model,
                    tokenizer,
                    group.stream().map(Question::prompt).toList(),
                    batch -> Media.add(batch, group.stream().map(Question::media)),
                    Sampling.greedy(maxTokens)));
            done.accept(from + group.size());
        }
        return answers;
    }

    static boolean same(String reference, String answer) {
        Optional<String> number = Answers.number(reference);
        return number.isPresent()
                ? number.equals(Answers.number(answer))
                : reference.strip().equals(answer.strip());
    }
}
