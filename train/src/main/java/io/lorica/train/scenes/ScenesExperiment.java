package io.lorica.train.scenes;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.Adapter;
import io.lorica.adapter.AdapterConfig;
import io.lorica.adapter.AdapterStack;
import io.lorica.adapter.Trainable;
import io.lorica.adapter.TrainingRule;
import io.lorica.model.VisionLanguageModel;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Names;
import io.lorica.tensor.Seed;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.SequencedMap;
import org.jspecify.annotations.Nullable;

/**
 * Arcana at small scale: a small LLaVA is frozen, and adapted to questions about drawn scenes and, in the same batches, to
 * two new kinds of question about scenes told in words. LoRA is compared with MM-LoRA of the same number of parameters at
 * three ratios, and both with a QLadder. The frozen encoder was taught to overlook the shade.
 */
public final class ScenesExperiment {
    private static final int RANK = 16;
    private static final int HALF_BATCH = 16;

    /** What there is to compare. */
    public static final List<String> NAMES =
            variants().stream().map(Variant::name).toList();

    private final Settings settings;

    /**
     * @param pretrainSteps of the small model
     * @param steps of each adapter
     * @param tests questions of each kind that are asked afterwards
     * @param only what is compared, by the names in {@link #NAMES}; empty for all
     */
    public record Settings(int pretrainSteps, int steps, int tests, List<String> only, long seed) {
        public Settings {
            for (String name : only) {
                if (!NAMES.contains(name)) {
                    throw new LoricaException.BadInput("there is nothing named '" + name + "' to compare"
                            + Names.didYouMean(name, NAMES) + " (there are: " + String.join(", ", NAMES) + ")");
                }
            }
            if (pretrainSteps < 1 || steps < 1 || tests < 1) {
                throw new LoricaException.BadInput(
                        "steps " + pretrainSteps + " and " + steps + " and questions " + tests + " must be at least 1");
            }
        }
    }

    /** Hears how far a part of the work is. */
    @FunctionalInterface
    public interface Steps {
        void step(String part, int step, int steps, double loss);
    }

    /**
     * Shares of right answers.
     *
     * @param shown by kind of question about a picture
     * @param told to the new questions about words
     */
    public record Result(String name, long parameters, SequencedMap<String, Double> shown, double told) {

        /** Over all kinds of question about pictures. */
        public double seen() {
            return shown.values().stream()
                    .mapToDouble(Double::doubleValue)
                    .average()
                    .orElse(0);
        }

        public ObjectNode json() {
            ObjectNode json = JsonNodeFactory.instance.objectNode();
            json.put("name", name)
                    .put("parameters", parameters)
                    .put("shown", seen())
                    .put("told", told);
            shown.forEach(json.putObject("kinds")::put);
            return json;
        }
    }

    /** Adapters that are trained together. */
    private record Variant(String name, List<AdapterConfig> adapters) {}

    public ScenesExperiment(Settings settings) {
        this.settings = settings;
    }

    /** @param out directory of the model; must not hold one */
    public List<Result> run(Path out, Steps heard) {
        List<Result> results = new ArrayList<>();
        try (VisionLanguageModel model =
                ScenePretrainer.model(settings.pretrainSteps(), seed("pretrain"), out, heard)) {
            for (Variant variant : variants()) {
                if (settings.only().isEmpty() || settings.only().contains(variant.name())) {
                    results.add(adapt(model, variant, heard));
                }
            }
        }
        return results;
    }

    private static List<Variant> variants() {
        List<Variant> variants = new ArrayList<>();
        ObjectNode lora = maps().put("r", RANK).put("lora_alpha", 2 * RANK);
        AdapterConfig ladder = AdapterConfig.of("qladder", ladder());
        variants.add(new Variant("lora " + RANK, List.of(AdapterConfig.of("lora", lora))));
        for (int vision : new int[] {RANK / 4, RANK / 2, 3 * RANK / 4}) {
            variants.add(new Variant(mmLoraName(vision), List.of(mmLora(vision, null))));
        }
        variants.add(new Variant("lora " + RANK + " + qladder", List.of(AdapterConfig.of("lora", lora), ladder)));
        variants.add(new Variant(mmLoraName(RANK / 4) + " + qladder", List.of(mmLora(RANK / 4, ladder()))));
        return variants;
    }

    private static String mmLoraName(int vision) {
        return "mm-lora " + vision + "/" + (RANK - vision);
    }

    private static AdapterConfig mmLora(int vision, @Nullable ObjectNode ladder) {
        ObjectNode json = maps().put("r_vision", vision).put("r_language", RANK - vision);
        if (ladder != null) {
            json.set("qladder", ladder);
        }
        return AdapterConfig.of("mm-lora", json);
    }

    private static ObjectNode maps() {
        return SceneTraining.maps().put("lora_dropout", 0.05);
    }

    private static ObjectNode ladder() {
        return JsonNodeFactory.instance.objectNode().put("num_queries", 4);
    }

    private Result adapt(VisionLanguageModel model, Variant variant, Steps heard) {
        try (AdapterStack stack = new AdapterStack(model)) {
            Map<String, Double> names = new LinkedHashMap<>();
            List<Trainable> trainables = new ArrayList<>();
            List<TrainingRule> rules = new ArrayList<>();
            for (AdapterConfig config : variant.adapters()) {
                String name = config.method().info().name();
                Adapter adapter = Adapter.create(model, config, seed("adapter"));
                stack.add(name, adapter);
                trainables.addAll(adapter.trainables());
                rules.add(adapter.trainingRule(seed("rule")));
                names.put(name, 1.0);
            }
            stack.activate(names);
            train(model, trainables, rules, (step, loss) -> heard.step(variant.name(), step, settings.steps(), loss));
            long count =
                    trainables.stream().mapToLong(each -> each.tensor().numel()).sum();
            return test(model, variant.name(), count);
        }
    }

    private Seed seed(String part) {
        return new Seed(settings.seed()).of(part);
    }

    /** Every variant sees the same batches. */
    private void train(
            VisionLanguageModel model,
            List<Trainable> trainables,
            List<TrainingRule> rules,
            SceneTraining.Heard heard) {
        Random random = new Random(seed("lessons").value());
        new SceneTraining(model, trainables, rules, seed("dropout"))
                .run(
                        settings.steps(),
                        () -> {
                            List<Question> questions = new ArrayList<>();
                            questions.addAll(Question.draw(random, Question.Kind.KNOWN, true, HALF_BATCH));
                            questions.addAll(Question.draw(random, Question.Kind.NEW, false, HALF_BATCH));
                            return new Lesson(questions);
                        },
                        heard);
    }

    /** On scenes that no training has seen. */
    private Result test(VisionLanguageModel model, String name, long parameters) {
        Random random = new Random(seed("test").value());
        SequencedMap<String, Double> shown = new LinkedHashMap<>();
        for (Question.Kind kind : Question.Kind.KNOWN) {
            shown.put(kind.name().toLowerCase(Locale.ROOT), share(model, random, List.of(kind), true));
        }
        return new Result(name, parameters, shown, share(model, random, Question.Kind.NEW, false));
    }

    private double share(VisionLanguageModel model, Random random, List<Question.Kind> kinds, boolean shown) {
        Lesson lesson = new Lesson(Question.draw(random, kinds, shown, settings.tests()));
        return (double) lesson.right(model) / settings.tests();
    }

    static double finite(double loss, String what) {
        if (!Double.isFinite(loss)) {
            throw new LoricaException.Diverged("the loss of " + what + " is " + loss + "; use another seed");
        }
        return loss;
    }
}
