package io.lorica.model;

import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;

/** Continues prompts token by token: one forward pass over the prompt, then one for each token with a key-value cache. */
public final class TextGenerator {
    private static final int DEFAULT_WIDTH = 16;

    private TextGenerator() {}

    /**
     * @param prompt token ids, special tokens included
     * @param onText receives the answer piece by piece, in whole characters; what may be the beginning of a stop text is
     *     held back until it is certain
     * @throws LoricaException.BadInput when the prompt is empty, holds ids that the model lacks, or fills the context
     */
    public static Generation generate(
            CausalModel model, Tokenizer tokenizer, long[] prompt, Sampling sampling, Consumer<String> onText) {
        return generate(model, tokenizer, prompt, UnaryOperator.identity(), sampling, onText);
    }

    /**
     * An answer about pictures.
     *
     * @param prompt one image token where each picture belongs
     * @param pixels {@code [images, channels, size, size]}, normalised as the model was trained
     * @throws LoricaException.BadInput also when the prompt has more or fewer image tokens than there are pictures
     */
    public static Generation generate(
            VisionLanguageModel model,
            Tokenizer tokenizer,
            long[] prompt,
            Tensor pixels,
            Sampling sampling,
            Consumer<String> onText) {
        long[] whole = model.expand(prompt, Math.toIntExact(pixels.size(0)));
        return generate(model, tokenizer, whole, batch -> batch.withImages(pixels), sampling, onText);
    }

    /**
     * An answer to a prompt with what else belongs to it.
     *
     * @param first gives the batch of the prompt what its tokens stand for; what it makes is in the innermost scope
     */
    public static Generation generate(
            CausalModel model,
            Tokenizer tokenizer,
            long[] prompt,
            UnaryOperator<Batch> first,
            Sampling sampling,
            Consumer<String> onText) {
        check(model, prompt, 0);
        List<Answer> answers = List.of(answer(model, tokenizer, prompt, sampling, 0, onText));
        run(model, List.of(prompt), first, answers);
        return answers.getFirst().result();
    }

    /** Answers to many prompts, up to 16 of them side by side. */
    public static List<Generation> generateAll(
            CausalModel model, Tokenizer tokenizer, List<long[]> prompts, Sampling sampling) {
        return generateAll(model, tokenizer, prompts, sampling, DEFAULT_WIDTH);
    }

    /**
     * Answers to prompts that run side by side, all of them, with what else belongs to them.
     *
     * @param first gives the batch of the prompts what their tokens stand for; what it makes is in the innermost scope
     */
    public static List<Generation> generateAll(
            CausalModel model,
            Tokenizer tokenizer,
            List<long[]> prompts,
            UnaryOperator<Batch> first,
            Sampling sampling) {
        return group(model, tokenizer, prompts, 0, first, sampling);
    }

    /**
     * Answers to many prompts, in their order; each ends on its own. With temperature 0 they are those of
     * {@link #generate} (up to rounding of the model's products); with draws, prompt {@code i} has its own stream of
     * numbers, whatever the width.
     *
     * @param width how many prompts run side by side; their keys and values are held at the same time
     */
    public static List<Generation> generateAll(
            CausalModel model, Tokenizer tokenizer, List<long[]> prompts, Sampling sampling, int width) {
        if (width < 1) {
            throw new LoricaException.BadInput(
                    "the number of prompts side by side is " + width + ", must be at least 1");
        }
        for (int i = 0; i < prompts.size(); i++) {
            check(model, prompts.get(i), i);
        }
        List<Generation> results = new ArrayList<>();
        for (int first = 0; first < prompts.size(); first += width) {
            List<long[]> group = prompts.subList(first, Math.min(first + width, prompts.size()));
            results.addAll(group(model, tokenizer, group, first, UnaryOperator.identity(), sampling));
        }
        return results;
    }

    /** @param offset of the first among all prompts, by which each draws its own numbers */
    private static List<Generation> group(
            CausalModel model,
            Tokenizer tokenizer,
            List<long[]> prompts,
            int offset,
            UnaryOperator<Batch> first,
            Sampling sampling) {
        List<Answer> answers = new ArrayList<>();
        for (int i = 0; i < prompts.size(); i++) {
            check(model, prompts.get(i), offset + i);
            answers.add(answer(model, tokenizer, prompts.get(i), sampling, offset + i, _ -> {}));
        }
        run(model, prompts, first, answers);
        return answers.stream().map(Answer::result).toList();
    }

    private static Answer answer(
            CausalModel model,
            Tokenizer tokenizer,
            long[] prompt,
            Sampling sampling,
            int index,
            Consumer<String> onText) {
        int limit = Math.min(sampling.maxTokens(), model.contextLength() - prompt.length);
        return new Answer(tokenizer, prompt, sampling, limit, index, onText);
    }

    private static void run(CausalModel model, List<long[]> prompts, UnaryOperator<Batch> first, List<Answer> answers) {
        try (Grad _ = Grad.disabled();
                KvCache cache = model.newCache(prompts.size())) {
            List<Answer> open = answers;
            List<long[]> input = prompts;
            UnaryOperator<Batch> dress = first; // the cache remembers what it adds after the prompt
            while (!open.isEmpty()) {
                step(model, input, dress, cache, open);
                dress = UnaryOperator.identity();
                int[] going = unfinished(open);
                if (going.length < open.size()) {
                    cache.retain(going);
                }
                List<Answer> before = open;
                open = Arrays.stream(going).mapToObj(before::get).toList();
                input = open.stream()
                        .map(answer -> new long[] {answer.lastToken()})
                        .toList();
            }
        }
    }

    private static void step(
            CausalModel model, List<long[]> input, UnaryOperator<Batch> dress, KvCache cache, List<Answer> answers) {
        try (Scope _ = Scope.open()) {
            float[] logits = Tensors.floats(model.nextLogits(dress.apply(Batch.of(input, cache)), Pass.inference()));
            int width = logits.length / answers.size();
            for (int i = 0; i < answers.size(); i++) {
                answers.get(i).advance(Arrays.copyOfRange(logits, i * width, (i + 1) * width));
            }
        }
    }

    private static int[] unfinished(List<Answer> answers) {
        return IntStream.range(0, answers.size())
                .filter(i -> !answers.get(i).finished())
                .toArray();
    }

    private static void check(CausalModel model, long[] prompt, int index) {
        if (prompt.length == 0) {
            throw new LoricaException.BadInput(
                    "prompt " + index + " has no tokens; give it text, or the model's first token (bos)");
        }
        if (prompt.length >= model.contextLength()) {
            throw new LoricaException.BadInput("prompt " + index + " has " + prompt.length
                    + " tokens, which leaves no room in the model's context of " + model.contextLength()
                    + "; shorten it");
        }
        for (long id : prompt) {
            if (id < 0 || id >= model.vocabularySize()) {
                throw new LoricaException.BadInput("prompt " + index + " holds token id " + id + ", but the model has "
                        + model.vocabularySize() + " tokens; the tokenizer belongs to another model");
            }
        }
    }
}
