package io.lorica.adapter;

import io.lorica.model.BaseModel;
import io.lorica.model.Batch;
import io.lorica.model.CausalModel;
import io.lorica.model.ClassifierModel;
import io.lorica.model.EncoderModel;
import io.lorica.model.Pass;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;

/** Asks a model for the logits of a few prompts, to compare two states of it. */
record Probe(BaseModel model, List<long[]> prompts) {
    private static final int DRAWN = 3;
    private static final int LENGTH = 12;

    /** With prompts drawn from the model's vocabulary where none are given. */
    static Probe of(BaseModel model, List<long[]> prompts) {
        return new Probe(model, prompts.isEmpty() ? drawn(vocabulary(model)) : prompts);
    }

    private static int vocabulary(BaseModel model) {
        return model instanceof CausalModel causal
                ? causal.vocabularySize()
                : model.config().integer("vocab_size");
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
                Tensor answer = answer(Batch.of(List.of(prompt)));
                rows.add(scope.keep(Tensors.to(answer, DType.F32).reshape(-1)));
            }
        }
        return rows;
    }

    private Tensor answer(Batch batch) {
        return switch (model) {
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
