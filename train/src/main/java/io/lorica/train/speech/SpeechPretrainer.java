package io.lorica.train.speech;

import io.lorica.model.ModelLoader;
import io.lorica.model.Pass;
import io.lorica.model.SpeechModel;
import io.lorica.tensor.AtomicFile;
import io.lorica.tensor.DType;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import io.lorica.train.AdamW;
import io.lorica.train.FreshMaps;
import io.lorica.train.Masters;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Makes the small model whose parts the experiment freezes, since no pretrained encoders of this size are at hand: encoders,
 * one pair of projectors and the language model learn together from clips, at rates that no adapter is measured at.
 *
 * <p>To the loss of the digits comes one on the encoders alone: a linear map of each state must tell the digit that is said or
 * shown at that time. The map is thrown away.
 */
final class SpeechPretrainer {
    private final SpeechSizes sizes;
    private final int steps;
    private final int batchSize;
    private final double learningRate;
    private final Seed seed;

    SpeechPretrainer(SpeechSizes sizes, int steps, int batchSize, double learningRate, Seed seed) {
        this.sizes = sizes;
        this.steps = steps;
        this.batchSize = batchSize;
        this.learningRate = learningRate;
        this.seed = seed;
    }

    /** Writes the model's directory. */
    void run(List<DigitClip> clips, Path out, SpeechExperiment.Listener listener) {
        FreshMaps fresh = new FreshMaps(sizes.shapes(), seed.of("weights"));
        try (SpeechModel model = (SpeechModel) ModelLoader.load(fresh, sizes.config(), DType.F32);
                Masters masters = new Masters(model)) {
            Tensor audio = masters.probe("audio", sizes.width(), 10);
            Tensor video = masters.probe("video", sizes.width(), 10);
            try (AdamW optimizer = masters.optimizer(1e-8, 0.01)) {
                Random random = new Random(seed.of("batches").value());
                for (int step = 0; step < steps; step++) {
                    List<DigitClip> batch = random.ints(batchSize, 0, clips.size())
                            .mapToObj(clips::get)
                            .toList();
                    double loss = backward(model, audio, video, batch, step);
                    optimizer.step(SpeechExperiment.rate(learningRate, step, steps), _ -> 1);
                    optimizer.clearGradients();
                    listener.step("pretrain", step + 1, steps, loss);
                }
            }
            masters.save(out, DType.F32);
            AtomicFile.writeString(
                    out.resolve("config.json"), sizes.config().json().toPrettyString() + "\n");
            DigitWords.write(out);
        }
    }

    private double backward(SpeechModel model, Tensor audio, Tensor video, List<DigitClip> batch, int step) {
        try (Scope _ = Scope.open()) {
            Pass pass = Pass.training(seed.of(step));
            Encoded encoded = Encoded.of(model, batch, pass);
            Tensor words = encoded.loss(model, SpeechExperiment.PRETRAINED, pass);
            Tensor told = told(encoded.audio(), audio, batch)
                    .add(told(encoded.video(), video, batch))
                    .mul(new Scalar(0.5));
            words.add(told).backward();
            return SpeechExperiment.finite(words.item_double(), "pretraining", step);
        }
    }

    /** Cross-entropy of the digit at each state's time. */
    private static Tensor told(Tensor states, Tensor map, List<DigitClip> batch) {
        int length = (int) states.size(1);
        long[] targets = new long[batch.size() * length];
        for (int i = 0; i < targets.length; i++) {
            targets[i] = batch.get(i / length).digits()[i % length * DigitClip.DIGITS / length];
        }
        return torch.cross_entropy_loss(states.flatten(0, 1).mm(map), Tensors.of(targets));
    }
}
