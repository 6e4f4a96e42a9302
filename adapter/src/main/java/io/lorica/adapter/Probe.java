package io.lorica.adapter;

import io.lorica.model.BaseModel;
import io.lorica.model.Batch;
import io.lorica.model.CausalModel;
import io.lorica.model.ClassifierModel;
import io.lorica.model.EncoderDecoderModel;
import io.lorica.model.EncoderModel;
import io.lorica.model.ImageClassifier;
import io.lorica.model.ImageModel;
import io.lorica.model.ImageTextModel;
import io.lorica.model.Pass;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;

/** Asks a model for the logits of a few prompts, to compare two states of it. */
record Probe(BaseModel model, List<long[]> prompts) {
    private static final int DRAWN = 3;
    private static final int LENGTH = 12;
    /** A prompt to a model that reads no text is the seed of a picture. */
    private static final int PICTURES = 1 << 16;

    /** With prompts drawn from the model's vocabulary where none are given. */
    static Probe of(BaseModel model, List<long[]> prompts) {
        return new Probe(model, prompts.isEmpty() ? drawn(vocabulary(model)) : prompts);
    }

    private static int vocabulary(BaseModel model) {
        return switch (model) {
            case CausalModel causal -> causal.vocabularySize();
            case EncoderDecoderModel pairs -> pairs.vocabularySize();
            case ImageTextModel clip -> clip.vocabularySize();
            case ImageClassifier _ -> PICTURES;
            default -> model.config().integer("vocab_size");
        };
    }

    private static List<long[]> drawn(int vocabulary) {
        Seed seed = new Seed(0).of("probe");
        return IntStream.range(0, DRAWN)
                .mapToObj(prompt -> IntStream.range(0, LENGTH)
                        .mapToLong(at -> Math.floorMod(seed.of(prompt).of(at).value(), (long) vocabulary))
                        .toArray())
                .toList();
    }

    /** Last-position logits (a classifier's scores, an encoder's last hidden state) of each prompt, float32 {@code [n]}, in the innermost scope. */
    List<Tensor> run() {
        List<Tensor> rows = new ArrayList<>();
        for (long[] prompt : prompts) {
            try (Scope scope = Scope.open();
                    Grad _ = Grad.disabled()) {
                Tensor answer = answer(prompt);
                rows.add(scope.keep(Tensors.to(answer, DType.F32).reshape(-1)));
            }
        }
        return rows;
    }

    private Tensor answer(long[] prompt) {
        Batch batch = Batch.of(List.of(prompt));
        return switch (model) {
            case EncoderDecoderModel pairs -> {
                Batch start = Batch.of(List.of(new long[] {pairs.startToken()}));
                yield pairs.logits(batch, start, Pass.inference());
            }
            case ImageTextModel clip ->
                clip.logitsPerImage(picture(clip, prompt), text(clip, prompt), Pass.inference());
            case ImageClassifier classifier -> classifier.scores(picture(classifier, prompt), Pass.inference());
            case CausalModel causal -> causal.nextLogits(batch, Pass.inference());
            case ClassifierModel classifier -> classifier.scores(batch, Pass.inference());
            case EncoderModel encoder -> {
                Tensor hidden = encoder.hidden(batch, Pass.inference());
                yield hidden.select(0, hidden.size(0) - 1);
            }
            default ->
                throw new io.lorica.tensor.LoricaException.Unsupported(
                        "models of type '" + model.config().modelType() + "' give no logits to compare");
        };
    }

    /** Normal noise, seeded by the prompt. */
    private static Tensor picture(ImageModel model, long[] prompt) {
        Seed seed = new Seed(Arrays.hashCode(prompt));
        return Tensors.empty(DType.F32, 1, model.channels(), model.imageSize(), model.imageSize())
                .normal_(0, 1, seed.generator());
    }

    private static Batch text(ImageTextModel model, long[] prompt) {
        long[] ended = Arrays.copyOf(prompt, Math.min(prompt.length, model.contextLength()));
        ended[ended.length - 1] = model.endToken();
        return Batch.of(List.of(ended));
    }

    static double difference(List<Tensor> left, List<Tensor> right) {
        return IntStream.range(0, left.size())
                .mapToDouble(i -> Tensors.maxDifference(left.get(i), right.get(i)))
                .max()
                .orElse(0);
    }

    static double largest(List<Tensor> rows) {
        try (Scope _ = Scope.open()) {
            return rows.stream()
                    .mapToDouble(row -> row.abs().max().item_double())
                    .max()
                    .orElse(0);
        }
    }
}
