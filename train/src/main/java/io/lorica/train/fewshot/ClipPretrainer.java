package io.lorica.train.fewshot;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.model.BpeTrainer;
import io.lorica.model.ImageTextModel;
import io.lorica.model.ModelConfig;
import io.lorica.model.ModelLoader;
import io.lorica.model.Pass;
import io.lorica.model.Tokenizer;
import io.lorica.model.TokenizerDefinition;
import io.lorica.model.image.ImageProcessor;
import io.lorica.model.image.Picture;
import io.lorica.tensor.AtomicFile;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import io.lorica.train.AdamW;
import io.lorica.train.Masters;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Makes a small CLIP from image sets whose classes are its captions, and writes it as a Hugging Face directory.
 *
 * <p>The loss is that of {@link FewShot}: each picture against the captions of all classes. (CLIP's own loss compares the
 * pairs of a batch, which would count two pictures of one class as different.) So the towers learn the classes they were
 * shown and little of language: such a model has features to adapt, and is no substitute for CLIP.
 */
public final class ClipPretrainer {
    private static final double WEIGHT_DECAY = 0.05;
    private static final String START = BpeTrainer.TURN_START;
    /** The end's id must not be 2, which CLIP's configurations once used with another meaning. */
    private static final String END = BpeTrainer.END_OF_TEXT;

    private static final double LARGEST_SCALE = Math.log(100);

    private final Settings settings;
    private final ClipSizes sizes = ClipSizes.small();

    /**
     * @param steps optimizer steps; default 1500
     * @param batchSize pictures of a step; default 64
     * @param learningRate at the start, falling to 0 by a cosine; default 1e-3
     * @param template caption of a class
     */
    public record Settings(int steps, int batchSize, double learningRate, long seed, String template) {}

    /** Hears the loss of each step. */
    @FunctionalInterface
    public interface Listener {
        void step(long step, double loss);
    }

    public ClipPretrainer(Settings settings) {
        this.settings = settings;
    }

    /** @return loss of the last step */
    public double run(List<ImageSet> sets, Path out, Listener listener) {
        ImageSet all = joined(sets);
        TokenizerDefinition definition = tokenizer(all.classes());
        definition.write(out);
        AtomicFile.writeString(out.resolve(ImageProcessor.FILE), preprocessor().toPrettyString() + "\n");
        try (Tokenizer tokenizer = definition.load()) {
            int vocabulary = tokenizer.vocabularySize();
            ModelConfig config = sizes.config(
                    vocabulary, tokenizer.bos().orElseThrow(), tokenizer.eos().orElseThrow());
            AtomicFile.writeString(out.resolve("config.json"), config.json().toPrettyString() + "\n");
            FreshClip fresh = new FreshClip(sizes.shapes(vocabulary), new Seed(settings.seed()).of("weights"));
            try (ImageTextModel model = (ImageTextModel) ModelLoader.load(fresh, config, DType.F32)) {
                Captions captions = new Captions(all.classes(), settings.template(), tokenizer, model.contextLength());
                return train(model, captions, all, out, listener);
            }
        }
    }

    private static ImageSet joined(List<ImageSet> sets) {
        List<String> classes = new ArrayList<>();
        List<ImageSet.Labelled> train = new ArrayList<>();
        for (ImageSet set : sets) {
            int first = classes.size();
            classes.addAll(set.classes());
            set.train().forEach(one -> train.add(new ImageSet.Labelled(one.picture(), first + one.label())));
        }
        if (classes.stream().distinct().count() < classes.size() || classes.size() < 2) {
            throw new LoricaException.BadInput(
                    "the classes " + classes + " must be two or more, and no two may have one name");
        }
        return new ImageSet("joined", classes, train, List.of());
    }

    /** Lower case, with CLIP's two special tokens around each text. */
    private static TokenizerDefinition tokenizer(List<String> classes) {
        TokenizerDefinition plain =
                BpeTrainer.of(512).train(classes.stream().flatMap(name -> Stream.of(name, " " + name)));
        try {
            ObjectNode json = (ObjectNode) new ObjectMapper().readTree(plain.tokenizerJson());
            json.putObject("normalizer").put("type", "Lowercase");
            ObjectNode template = json.putObject("post_processor").put("type", "TemplateProcessing");
            ArrayNode single = template.putArray("single");
            special(single, START);
            single.addObject().putObject("Sequence").put("id", "A").put("type_id", 0);
            special(single, END);
            ArrayNode pair = template.putArray("pair");
            pair.addObject().putObject("Sequence").put("id", "A").put("type_id", 0);
            pair.addObject().putObject("Sequence").put("id", "B").put("type_id", 0);
            ObjectNode tokens = template.putObject("special_tokens");
            known(tokens, START, 1);
            known(tokens, END, 0);
            ObjectNode config = plain.config().deepCopy();
            config.put("bos_token", START).put("eos_token", END);
            config.remove("chat_template");
            return new TokenizerDefinition(json.toPrettyString() + "\n", config);
        } catch (JsonProcessingException e) {
            throw new LoricaException.Internal("the trained tokenizer is no JSON: " + e.getMessage(), e);
        }
    }

    private static void special(ArrayNode template, String token) {
        template.addObject().putObject("SpecialToken").put("id", token).put("type_id", 0);
    }

    private static void known(ObjectNode tokens, String token, int id) {
        ObjectNode entry = tokens.putObject(token).put("id", token);
        entry.putArray("ids").add(id);
        entry.putArray("tokens").add(token);
    }

    /** What CLIP's own file says, at this size. */
    private ObjectNode preprocessor() {
        ObjectNode json = new ObjectMapper().createObjectNode();
        json.put("image_processor_type", "CLIPImageProcessor");
        json.put("do_resize", true).putObject("size").put("shortest_edge", sizes.imageSize());
        json.put("do_center_crop", true)
                .putObject("crop_size")
                .put("height", sizes.imageSize())
                .put("width", sizes.imageSize());
        json.put("resample", 3).put("do_rescale", true).put("rescale_factor", 1 / 255.0);
        json.put("do_convert_rgb", true).put("do_normalize", true);
        json.putArray("image_mean").add(0.48145466).add(0.4578275).add(0.40821073);
        json.putArray("image_std").add(0.26862954).add(0.26130258).add(0.27577711);
        return json;
    }

    private double train(ImageTextModel model, Captions captions, ImageSet all, Path out, Listener listener) {
        Seed seed = new Seed(settings.seed());
        ImageProcessor processor = ImageProcessor.from(new ModelConfig(preprocessor(), ImageProcessor.FILE));
        List<Picture> pictures = all.train().stream()
                .map(labelled -> processor.fit(labelled.picture()))
                .toList();
        Augmentation augmentation = new Augmentation(sizes.imageSize(), 0.5, 0);
        SplittableRandom random = new SplittableRandom(seed.of("batches").value());
        double last = Double.NaN;
        try (Masters masters = new Masters(model);
                AdamW optimizer = masters.optimizer(1e-6, WEIGHT_DECAY)) {
            for (long step = 0; step < settings.steps(); step++) {
                List<Picture> batch = new ArrayList<>();
                long[] labels = new long[settings.batchSize()];
                for (int i = 0; i < labels.length; i++) {
                    int at = random.nextInt(pictures.size());
                    batch.add(augmentation.apply(pictures.get(at), random));
                    labels[i] = all.train().get(at).label();
                }
                last = backward(model, captions, processor, batch, labels, step);
                double fall = 0.5 * (1 + Math.cos(Math.PI * step / settings.steps()));
                optimizer.step(settings.learningRate() * Math.min(1, (step + 1) / 100.0) * fall, _ -> 1);
                optimizer.clearGradients();
                clampScale(masters.weights());
                listener.step(step + 1, last);
            }
            masters.save(out, DType.F32);
            return last;
        }
    }

    private double backward(
            ImageTextModel model,
            Captions captions,
            ImageProcessor processor,
            List<Picture> batch,
            long[] labels,
            long step) {
        try (Scope _ = Scope.open()) {
            Pass pass = Pass.training(new Seed(settings.seed()).of("dropout").of(step));
            Tensor images = ImageTextModel.normalised(model.imageFeatures(processor.normalised(batch), pass));
            Tensor logits = images.mm(captions.features(model, pass).t()).mul(model.scale());
            Tensor loss = torch.cross_entropy_loss(logits, Tensors.of(labels));
            if (!Double.isFinite(loss.item_double())) {
                throw new LoricaException.Diverged(
                        "the loss of step " + (step + 1) + " is " + loss.item_double() + "; lower the learning rate");
            }
            loss.backward();
            return loss.item_double();
        }
    }

    /** The scale stays at most 100, as in CLIP's training. */
    private static void clampScale(Map<String, Tensor> masters) {
        Tensor scale = masters.get("logit_scale");
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            if (scale != null && scale.item_double() > LARGEST_SCALE) {
                scale.fill_(new Scalar(LARGEST_SCALE));
            }
        }
    }
}
