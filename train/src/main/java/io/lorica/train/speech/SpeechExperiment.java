package io.lorica.train.speech;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.Adapter;
import io.lorica.adapter.AdapterConfig;
import io.lorica.adapter.AdapterStack;
import io.lorica.adapter.Scales;
import io.lorica.model.ModelLoader;
import io.lorica.model.Pass;
import io.lorica.model.Rates;
import io.lorica.model.SpeechModel;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.TensorFiles;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/**
 * Llama-MTSK on digits that are spoken and shown: a small model is trained, frozen, and adapted by each of the three
 * strategies with fresh projectors for rates it did not know; then each scale is tested on voices' other recordings and on
 * pictures that no part has seen.
 */
public final class SpeechExperiment {
    private static final int BINS = 40;
    private static final int TOGETHER = 50;

    /** What the frozen model was trained at. */
    static final Rates PRETRAINED = new Rates(SpeechSizes.AUDIO.getFirst(), SpeechSizes.VIDEO.getFirst());

    private final Settings settings;

    /**
     * @param clips drawn for training
     * @param testClips drawn for testing
     * @param decibels of the sound above its noise
     * @param hidden share of digits that no picture shows
     * @param pretrainSteps of the small model
     * @param steps of each adapter
     * @param saveClips whether the clips are written as files too, with rows for {@code lorica train} and {@code eval}
     */
    public record Settings(
            int clips,
            int testClips,
            double decibels,
            double hidden,
            int pretrainSteps,
            int steps,
            long seed,
            boolean saveClips) {
        public Settings {
            if (clips < 1 || testClips < 1 || pretrainSteps < 1 || steps < 1 || !(hidden >= 0 && hidden <= 1)) {
                throw new LoricaException.BadInput("clips " + clips + ", test clips " + testClips + " and steps "
                        + pretrainSteps + " and " + steps + " must be at least 1, and the hidden share " + hidden
                        + " from 0 to 1");
            }
        }
    }

    /** Hears how far a part of the work is. */
    @FunctionalInterface
    public interface Listener {
        void step(String part, int step, int steps, double loss);
    }

    /** The same within a part. */
    @FunctionalInterface
    interface Steps {
        void step(int step, int steps, double loss);
    }

    /**
     * Word error rates at one scale.
     *
     * @param strategy of the adapter, or {@code base} for the frozen model at the rates it was trained at
     * @param tokens of the prompt
     * @param both with sound and pictures
     * @param deaf with the states of other clips' sound
     * @param blind with the states of other clips' pictures
     */
    public record Result(String strategy, Rates rates, int tokens, double both, double deaf, double blind) {

        public ObjectNode json() {
            return JsonNodeFactory.instance
                    .objectNode()
                    .put("strategy", strategy)
                    .put("audio_rate", rates.audio())
                    .put("video_rate", rates.video())
                    .put("prompt_tokens", tokens)
                    .put("wer", both)
                    .put("wer_wrong_audio", deaf)
                    .put("wer_wrong_video", blind);
        }
    }

    public SpeechExperiment(Settings settings) {
        this.settings = settings;
    }

    /**
     * @param sounds a zip of {@code split/digit_speaker_index.wav}
     * @param images a folder with MNIST's IDX files
     * @param out directory of the model and the adapters; must not hold a model
     */
    public List<Result> run(Path sounds, Path images, Path out, Listener listener) {
        if (Files.exists(out.resolve("config.json"))) {
            throw new LoricaException.BadInput("the directory " + out + " holds a model already; choose another --out");
        }
        Seed seed = new Seed(settings.seed());
        DigitClips.Settings noise = new DigitClips.Settings(BINS, settings.decibels(), settings.hidden());
        List<DigitClip> train =
                DigitClips.read(sounds, images, "train", noise).draw(settings.clips(), seed.of("train"));
        List<DigitClip> test =
                DigitClips.read(sounds, images, "test", noise).draw(settings.testClips(), seed.of("test"));
        if (settings.saveClips()) {
            ClipFiles.write(train, out, "train");
            ClipFiles.write(test, out, "test");
        }
        SpeechSizes sizes = new SpeechSizes(64, 2, BINS);
        new SpeechPretrainer(sizes, settings.pretrainSteps(), 16, 2e-3, seed.of("pretrain")).run(train, out, listener);
        List<Result> results = new ArrayList<>();
        try (SpeechModel model = (SpeechModel) ModelLoader.load(TensorFiles.openModel(out), sizes.config(), DType.F32);
                Scope _ = Scope.open()) {
            Encoded known = encoded(model, train);
            Encoded unknown = encoded(model, test);
            results.add(result("base", model, PRETRAINED, unknown));
            for (String strategy : List.of("ms", "ss", "mss")) {
                results.addAll(adapt(model, strategy, known, unknown, out.resolve(strategy), listener));
            }
        }
        return results;
    }

    /** By the frozen encoders, once for all, some at a time. */
    private static Encoded encoded(SpeechModel model, List<DigitClip> clips) {
        try (Scope scope = Scope.open();
                Grad _ = Grad.disabled()) {
            List<Encoded> parts = new ArrayList<>();
            for (int from = 0; from < clips.size(); from += TOGETHER) {
                List<DigitClip> part = clips.subList(from, Math.min(clips.size(), from + TOGETHER));
                parts.add(Encoded.of(model, part, Pass.inference()));
            }
            Encoded all = Encoded.all(parts);
            return new Encoded(scope.keep(all.audio()), scope.keep(all.video()), all.digits());
        }
    }

    private List<Result> adapt(
            SpeechModel model, String strategy, Encoded train, Encoded test, Path out, Listener listener) {
        List<Result> results = new ArrayList<>();
        try (AdapterStack stack = new AdapterStack(model)) {
            Adapter adapter = Adapter.create(model, config(strategy), new Seed(settings.seed()).of("adapter"));
            stack.add(strategy, adapter);
            stack.activate(strategy);
            new Matryoshka(model, adapter)
                    .train(
                            train,
                            settings.steps(),
                            16,
                            4e-3,
                            new Seed(settings.seed()).of("adapt"),
                            (step, steps, loss) -> listener.step(strategy, step, steps, loss));
            adapter.save(out);
            Scales scales = adapter.scales().orElseThrow();
            for (Rates rates : scales.scales()) {
                scales.use(rates);
                results.add(result(strategy, model, rates, test));
            }
        }
        return results;
    }

    private static Result result(String strategy, SpeechModel model, Rates rates, Encoded test) {
        Encoded deaf = new Encoded(other(test.audio()), test.video(), test.digits());
        Encoded blind = new Encoded(test.audio(), other(test.video()), test.digits());
        return new Result(
                strategy,
                rates,
                test.prompt(model, rates).length,
                WordErrors.rate(model, test, rates),
                WordErrors.rate(model, deaf, rates),
                WordErrors.rate(model, blind, rates));
    }

    /** The states of each clip's neighbour. */
    private static Tensor other(Tensor states) {
        return states.roll(new long[] {1}, 0);
    }

    private static AdapterConfig config(String strategy) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("rank", 4).put("alpha", 4).put("lora_strategy", strategy);
        json.put("target_modules", "llm\\..*\\.(q|v)_proj");
        SpeechSizes.AUDIO.stream().skip(1).forEach(json.putArray("audio_rates")::add);
        SpeechSizes.VIDEO.stream().skip(1).forEach(json.putArray("video_rates")::add);
        var modules = json.putArray("modules_to_save");
        for (int i = 1; i < SpeechSizes.AUDIO.size(); i++) {
            modules.add("audio_proj." + i).add("video_proj." + i);
        }
        return AdapterConfig.of("mtsk", json);
    }

    /** A warm-up of 50 steps, then a cosine to 0. */
    static double rate(double highest, int step, int steps) {
        return highest * Math.min(1, (step + 1) / 50.0) * 0.5 * (1 + Math.cos(Math.PI * step / steps));
    }

    static double finite(double loss, String what, int step) {
        if (!Double.isFinite(loss)) {
            throw new LoricaException.Diverged("the loss of " + what + " step " + (step + 1) + " is " + loss
                    + "; use more decibels or another seed");
        }
        return loss;
    }
}
