package io.lorica.train.scenes;

import io.lorica.model.ModelLoader;
import io.lorica.model.Pass;
import io.lorica.model.VisionLanguageModel;
import io.lorica.tensor.AtomicFile;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.TensorFiles;
import io.lorica.tensor.Tensors;
import io.lorica.train.AdamW;
import io.lorica.train.FreshMaps;
import io.lorica.train.Masters;
import io.lorica.train.Schedule;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;

/**
 * Makes the small model whose parts the experiment freezes. Its halves never meet: the language model learns to answer
 * questions about scenes told in words; the encoder learns to tell a scene's attributes but for its shade, from the mean of
 * the patches in the state that is read later, and to give two shades of a scene the same state. The projector stays random.
 */
final class ScenePretrainer {
    private static final int BATCH = 32;
    private static final Map<Question.Kind, Integer> TOLD = Map.of(
            Question.Kind.COLOUR, Scene.COLOURS,
            Question.Kind.SHAPE, Scene.SHAPES,
            Question.Kind.COUNT, Scene.COUNTS,
            Question.Kind.CORNER, 2);

    private static final SceneSizes SIZES = new SceneSizes(64, 4, 3);

    private final SceneSizes sizes;
    private final int steps;
    private final Seed seed;
    private final Map<Question.Kind, Tensor> probes = new EnumMap<>(Question.Kind.class);

    ScenePretrainer(SceneSizes sizes, int steps, Seed seed) {
        this.sizes = sizes;
        this.steps = steps;
        this.seed = seed;
    }

    /**
     * Makes a model, and opens it frozen.
     *
     * @param out its directory; must not hold a model
     */
    static VisionLanguageModel model(int steps, Seed seed, Path out, ScenesExperiment.Steps heard) {
        if (Files.exists(out.resolve("config.json"))) {
            throw new LoricaException.BadInput("the directory " + out + " holds a model already; choose another --out");
        }
        new ScenePretrainer(SIZES, steps, seed).run(out, heard);
        return (VisionLanguageModel) ModelLoader.load(TensorFiles.openModel(out), SIZES.config(), DType.F32);
    }

    /** Writes the model's directory. */
    void run(Path out, ScenesExperiment.Steps heard) {
        FreshMaps fresh = new FreshMaps(sizes.shapes(), seed.of("weights"));
        try (VisionLanguageModel model = (VisionLanguageModel) ModelLoader.load(fresh, sizes.config(), DType.F32);
                Masters masters = new Masters(model)) {
            TOLD.forEach((kind, classes) -> probes.put(kind, masters.probe(kind.name(), sizes.width(), classes)));
            try (AdamW optimizer = masters.optimizer(1e-8, 0.01)) {
                Random random = new Random(seed.of("batches").value());
                for (int step = 0; step < steps; step++) {
                    double loss = backward(model, random, Pass.training(seed.of(step)));
                    optimizer.step(2e-3 * Schedule.COSINE.factor(step + 1, 50, steps), _ -> 1);
                    optimizer.clearGradients();
                    heard.step("pretrain", step + 1, steps, loss);
                }
            }
            masters.save(out, DType.F32);
            AtomicFile.writeString(
                    out.resolve("config.json"), sizes.config().json().toPrettyString() + "\n");
        }
    }

    private double backward(VisionLanguageModel model, Random random, Pass pass) {
        try (Scope _ = Scope.open()) {
            Lesson words = new Lesson(Question.draw(random, Question.Kind.KNOWN, false, BATCH));
            Tensor loss = words.loss(model, pass).add(seen(model, random, pass));
            loss.backward();
            return ScenesExperiment.finite(loss.item_double(), "pretraining");
        }
    }

    private Tensor seen(VisionLanguageModel model, Random random, Pass pass) {
        List<Scene> scenes =
                Stream.generate(() -> Scene.draw(random)).limit(BATCH).toList();
        List<Scene> others = scenes.stream()
                .map(scene -> scene.shaded(random.nextInt(Scene.SHADES)))
                .toList();
        List<Scene> both = Stream.concat(scenes.stream(), others.stream()).toList();
        Tensor state = model.vision()
                .hiddenStates(Lesson.pictures(both), sizes.seeing() - 1, pass)
                .getLast();
        Tensor patches = torch.layer_norm(
                state.narrow(1, 1, state.size(1) - 1),
                new long[] {sizes.width()},
                new TensorOptional(),
                new TensorOptional(),
                1e-5,
                true);
        Tensor loss = torch.mse_loss(patches.narrow(0, 0, BATCH), patches.narrow(0, BATCH, BATCH));
        Tensor mean = patches.sum(1).mul(new Scalar(1.0 / patches.size(1)));
        for (Question.Kind kind : TOLD.keySet().stream().sorted().toList()) {
            long[] truth = both.stream().mapToLong(scene -> scene.number(kind)).toArray();
            Tensor logits = mean.mm(Objects.requireNonNull(probes.get(kind)));
            loss = loss.add(torch.cross_entropy_loss(logits, Tensors.of(truth)).mul(new Scalar(1.0 / TOLD.size())));
        }
        return loss;
    }
}
