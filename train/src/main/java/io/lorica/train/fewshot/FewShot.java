package io.lorica.train.fewshot;

import io.lorica.adapter.Adapter;
import io.lorica.adapter.AdapterConfig;
import io.lorica.adapter.AdapterStack;
import io.lorica.adapter.Trainable;
import io.lorica.adapter.TrainingRule;
import io.lorica.model.ImageTextModel;
import io.lorica.model.Pass;
import io.lorica.model.Tokenizer;
import io.lorica.model.image.ImageProcessor;
import io.lorica.model.image.Picture;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import io.lorica.train.AdamW;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * Few-shot classification with CLIP, the protocol of CLIP-LoRA (Zanella and Ben Ayed, Low-Rank Few-Shot Adaptation of
 * Vision-Language Models, 2024), which Block-LoRA is measured by. Each step:
 *
 * <pre>
 * f = normalised image features of augmented pictures
 * t = normalised text features of the captions of all classes
 * loss = cross_entropy(exp(logit_scale) f t^T, label)
 * </pre>
 *
 * AdamW with weight decay 0.01, a cosine from the learning rate to 1e-6, {@code iterations * shots} steps, the last weights
 * count. Text features are computed once where the adapter leaves the text tower alone, and else at every step with
 * gradients; for testing they are computed once and are the classifier. The logit scale is the model's own and frozen
 * (CLIP-LoRA's code takes 100, which is CLIP's). In float32, where that code uses mixed float16.
 */
public final class FewShot {
    private static final String ADAPTER = "few-shot";
    private static final int TEST_BATCH = 64;

    private final ImageTextModel model;
    private final ImageProcessor processor;
    private final ImageSet set;
    private final FewShotConfig config;
    private final Captions captions;
    private final List<Integer> testLabels;
    private final List<Picture> testPictures;

    public FewShot(
            ImageTextModel model, Tokenizer tokenizer, ImageProcessor processor, ImageSet set, FewShotConfig config) {
        this.model = model;
        this.processor = processor;
        this.set = set;
        this.config = config;
        captions = new Captions(set.classes(), config.template(), tokenizer, model.contextLength());
        testLabels = set.test().stream().map(ImageSet.Labelled::label).toList();
        testPictures = set.test().stream()
                .map(labelled -> processor.fit(labelled.picture()))
                .toList();
        if (testPictures.isEmpty()) {
            throw new LoricaException.BadInput("the set " + set.name() + " has no test pictures");
        }
    }

    /** The base as it is. */
    public FewShotRow zeroShot() {
        return new FewShotRow("zero-shot", 0, 0, List.of(accuracy(testPictures, testLabels)), Double.NaN, 0);
    }

    /**
     * All shots and seeds of one method; rows are handed on as they are done.
     *
     * @param label of the method in the rows
     */
    public List<FewShotRow> run(String label, AdapterConfig method, Consumer<FewShotRow> done) {
        List<FewShotRow> rows = new ArrayList<>();
        for (int shots : config.shots()) {
            List<Run> runs = new ArrayList<>();
            for (int seed = 0; seed < config.seeds(); seed++) {
                runs.add(run(method, shots, new Seed(seed)));
            }
            FewShotRow row = new FewShotRow(
                    label,
                    shots,
                    runs.getFirst().parameters(),
                    runs.stream().map(Run::test).toList(),
                    runs.stream().mapToDouble(Run::train).average().orElseThrow(),
                    runs.stream().mapToDouble(Run::seconds).average().orElseThrow());
            rows.add(row);
            done.accept(row);
        }
        return rows;
    }

    private record Run(long parameters, double test, double train, double seconds) {}

    private Run run(AdapterConfig method, int shots, Seed seed) {
        List<ImageSet.Labelled> data = set.shots(shots, seed);
        try (AdapterStack stack = new AdapterStack(model)) {
            Adapter adapter = Adapter.create(model, method, seed.of("adapter"));
            stack.add(ADAPTER, adapter);
            stack.activate(ADAPTER);
            long start = System.nanoTime();
            train(adapter, data, (long) config.iterationsPerShot() * shots, seed);
            double seconds = (System.nanoTime() - start) / 1e9;
            double train = accuracy(
                    data.stream()
                            .map(labelled -> processor.fit(labelled.picture()))
                            .toList(),
                    data.stream().map(ImageSet.Labelled::label).toList());
            return new Run(adapter.parameterCount(), accuracy(testPictures, testLabels), train, seconds);
        }
    }

    private void train(Adapter adapter, List<ImageSet.Labelled> data, long steps, Seed seed) {
        TrainingRule rule = adapter.trainingRule(seed.of("rule"));
        Draws draws = new Draws(data.size(), seed);
        Augmentation augmentation = new Augmentation(model.imageSize(), config.smallestCrop(), config.flips());
        SplittableRandom random = new SplittableRandom(seed.of("augmentation").value());
        try (AdamW optimizer = new AdamW(0.9, 0.999, 1e-8);
                Scope _ = Scope.open()) {
            for (Trainable trainable : adapter.trainables()) {
                optimizer.add(trainable, 1, FewShotConfig.WEIGHT_DECAY);
            }
            @Nullable Tensor fixed = learnsTexts(adapter) ? null : textFeatures();
            for (long step = 0; step < steps; step++) {
                rule.beforeStep(step, steps);
                List<ImageSet.Labelled> batch =
                        draws.next(config.batchSize()).stream().map(data::get).toList();
                List<Picture> pictures = batch.stream()
                        .map(labelled -> augmentation.apply(coloured(labelled.picture()), random))
                        .toList();
                backward(
                        pictures,
                        batch,
                        fixed,
                        rule,
                        step,
                        Pass.training(seed.of("dropout").of(step)));
                rule.beforeUpdate(step);
                optimizer.step(config.rate(step, steps), rule::learningRateFactor);
                rule.afterUpdate(step);
                optimizer.clearGradients();
            }
        }
    }

    private Picture coloured(Picture picture) {
        return model.channels() == 3 ? picture.rgb() : picture;
    }

    private void backward(
            List<Picture> pictures,
            List<ImageSet.Labelled> batch,
            @Nullable Tensor fixed,
            TrainingRule rule,
            long step,
            Pass pass) {
        try (Scope _ = Scope.open()) {
            Tensor images = ImageTextModel.normalised(model.imageFeatures(processor.normalised(pictures), pass));
            Tensor texts = fixed != null ? fixed : captions.features(model, pass);
            Tensor labels = Tensors.of(
                    batch.stream().mapToLong(ImageSet.Labelled::label).toArray());
            Tensor loss = torch.cross_entropy_loss(images.mm(texts.t()).mul(model.scale()), labels);
            @Nullable Tensor extra = rule.extraLoss();
            Tensor whole = extra == null ? loss : loss.add(extra);
            if (!Double.isFinite(whole.item_double())) {
                throw new LoricaException.Diverged("the loss of few-shot step " + (step + 1) + " is "
                        + whole.item_double() + "; lower the learning rate");
            }
            whole.backward();
        }
    }

    /** Whether anything is trained that text features depend on. */
    private static boolean learnsTexts(Adapter adapter) {
        return adapter.trainables().stream()
                .anyMatch(trainable -> trainable.name().contains("text_"));
    }

    private Tensor textFeatures() {
        try (Grad _ = Grad.disabled()) {
            return captions.features(model, Pass.inference());
        }
    }

    /** Top-1 accuracy with text features that are computed once. */
    private double accuracy(List<Picture> fitted, List<Integer> labels) {
        long hits = 0;
        try (Grad _ = Grad.disabled();
                Scope _ = Scope.open()) {
            Tensor classifier = textFeatures().t();
            for (int from = 0; from < fitted.size(); from += TEST_BATCH) {
                int to = Math.min(fitted.size(), from + TEST_BATCH);
                try (Scope _ = Scope.open()) {
                    Tensor pixels = processor.normalised(fitted.subList(from, to));
                    // A row's norm does not change which class is nearest.
                    Tensor scores =
                            model.imageFeatures(pixels, Pass.inference()).mm(classifier);
                    long[] best = Tensors.longs(scores.argmax(new LongOptional(1), false));
                    for (int i = 0; i < best.length; i++) {
                        hits += best[i] == labels.get(from + i) ? 1 : 0;
                    }
                }
            }
        }
        return (double) hits / fitted.size();
    }

    /** Indices in random order, epoch after epoch. */
    private static final class Draws {
        private final List<Integer> order = new ArrayList<>();
        private final Random random;
        private final int size;
        private int at;

        Draws(int size, Seed seed) {
            this.size = size;
            random = new Random(seed.of("order").value());
        }

        /** Fewer than {@code count} where the data is smaller. */
        List<Integer> next(int count) {
            int wanted = Math.min(count, size);
            if (at + wanted > order.size()) {
                order.clear();
                for (int i = 0; i < size; i++) {
                    order.add(i);
                }
                Collections.shuffle(order, random);
                at = 0;
            }
            at += wanted;
            return List.copyOf(order.subList(at - wanted, at));
        }
    }
}
