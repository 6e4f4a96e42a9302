package io.lorica.train.speech;

import io.lorica.adapter.Adapter;
import io.lorica.adapter.Scales;
import io.lorica.adapter.Trainable;
import io.lorica.model.Pass;
import io.lorica.model.Rates;
import io.lorica.model.SpeechModel;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.train.AdamW;
import java.util.List;
import java.util.Random;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/**
 * Llama-MTSK's objective: {@code L = 1 / n sum_i CE(scale i)} over all n scales at each step. The encoders have run once; the
 * language model runs for each scale, with a backward pass of its own, so that memory is that of one.
 */
final class Matryoshka {
    private final SpeechModel model;
    private final Adapter adapter;
    private final List<Rates> scales;

    Matryoshka(SpeechModel model, Adapter adapter) {
        this.model = model;
        this.adapter = adapter;
        scales = adapter.scales().map(Scales::scales).orElseThrow();
    }

    /** Gradients of the mean over the scales. */
    double backward(Encoded batch, Pass pass) {
        double sum = 0;
        for (Rates scale : scales) {
            try (Scope _ = Scope.open()) {
                Tensor loss = batch.loss(model, scale, pass).mul(new Scalar(1.0 / scales.size()));
                loss.backward();
                sum += loss.item_double();
            }
        }
        return sum;
    }

    /** Trains the adapter, which must be active on the model. */
    void train(Encoded clips, int steps, int batchSize, double learningRate, Seed seed, SpeechExperiment.Steps heard) {
        Random random = new Random(seed.of("batches").value());
        try (AdamW optimizer = new AdamW(0.9, 0.98, 1e-8)) {
            for (Trainable trainable : adapter.trainables()) {
                optimizer.add(trainable, 1, 0.1);
            }
            for (int step = 0; step < steps; step++) {
                int[] chosen = random.ints(batchSize, 0, clips.size()).toArray();
                try (Scope _ = Scope.open()) {
                    double loss = backward(clips.of(chosen), Pass.training(seed.of(step)));
                    heard.step(step + 1, steps, SpeechExperiment.finite(loss, "training", step));
                }
                optimizer.step(SpeechExperiment.rate(learningRate, step, steps), _ -> 1);
                optimizer.clearGradients();
            }
        }
    }
}
