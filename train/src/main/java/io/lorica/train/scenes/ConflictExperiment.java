package io.lorica.train.scenes;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.Adapter;
import io.lorica.adapter.AdapterConfig;
import io.lorica.adapter.AdapterStack;
import io.lorica.model.VisionLanguageModel;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Seed;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;

/**
 * LLaVA-MoLE's question at small scale: two domains of instructions that contradict each other are taught to one adapter.
 * Both ask the same of pictures; in the second a word before the question says that every answer is to be the one after the
 * right one. Plain LoRA learns each alone, then both at once, also with as many parameters as the experts have; routed
 * experts learn both.
 */
public final class ConflictExperiment {
    private static final int SAMPLES = 16;

    private final Settings settings;

    /**
     * @param pretrainSteps of the small model
     * @param steps of each adapter, with 16 samples of each domain that it learns
     * @param rank of plain LoRA and of each expert
     * @param tests questions of each domain that are asked afterwards
     */
    public record Settings(int pretrainSteps, int steps, int rank, int tests, long seed) {
        public Settings {
            if (pretrainSteps < 1 || steps < 1 || rank < 1 || tests < 1) {
                throw new LoricaException.BadInput("steps " + pretrainSteps + " and " + steps + ", rank " + rank
                        + " and questions " + tests + " must be at least 1");
            }
        }
    }

    /** What is asked of a picture. */
    enum Domain {
        PLAIN,
        SHIFTED
    }

    /**
     * Shares of right answers.
     *
     * @param parameters that were trained
     */
    public record Result(String name, long parameters, double plain, double shifted) {
        public ObjectNode json() {
            return JsonNodeFactory.instance
                    .objectNode()
                    .put("name", name)
                    .put("parameters", parameters)
                    .put("plain", plain)
                    .put("shifted", shifted);
        }
    }

    private record Variant(String name, AdapterConfig adapter, Set<Domain> domains) {}

    public ConflictExperiment(Settings settings) {
        this.settings = settings;
    }

    /** @param out directory of the model; must not hold one */
    public List<Result> run(Path out, ScenesExperiment.Steps heard) {
        List<Result> results = new ArrayList<>();
        try (VisionLanguageModel model =
                ScenePretrainer.model(settings.pretrainSteps(), seed("pretrain"), out, heard)) {
            for (Variant variant : variants()) {
                results.add(adapt(model, variant, heard));
            }
        }
        return results;
    }

    private List<Variant> variants() {
        AdapterConfig lora = lora(1);
        Set<Domain> both = Set.of(Domain.values());
        return List.of(
                new Variant("lora, plain alone", lora, Set.of(Domain.PLAIN)),
                new Variant("lora, shifted alone", lora, Set.of(Domain.SHIFTED)),
                new Variant("lora, both", lora, both),
                new Variant("lora of 2 times the rank, both", lora(2), both),
                new Variant("lora of 3 times the rank, both", lora(3), both),
                new Variant("llava-mole, 2 experts, both", experts(2), both),
                new Variant("llava-mole, 4 experts, both", experts(4), both));
    }

    private AdapterConfig lora(int times) {
        return AdapterConfig.of("lora", maps(times * settings.rank()));
    }

    private AdapterConfig experts(int count) {
        return AdapterConfig.of("llava-mole", maps(settings.rank()).put("num_experts", count));
    }

    private static ObjectNode maps(int rank) {
        return SceneTraining.maps().put("r", rank).put("lora_alpha", 2 * rank).put("lora_dropout", 0);
    }

    private Seed seed(String part) {
        return new Seed(settings.seed()).of(part);
    }

    private Result adapt(VisionLanguageModel model, Variant variant, ScenesExperiment.Steps heard) {
        try (AdapterStack stack = new AdapterStack(model)) {
            Adapter adapter = Adapter.create(model, variant.adapter(), seed("adapter"));
            stack.add("one", adapter).activate("one");
            Map<Domain, Random> samples = new EnumMap<>(Domain.class);
            for (Domain domain : Domain.values()) { // each domain's samples are the same in every variant
                samples.put(domain, new Random(seed(domain.name()).value()));
            }
            new SceneTraining(model, adapter.trainables(), List.of(adapter.trainingRule(seed("rule"))), seed("dropout"))
                    .run(
                            settings.steps(),
                            () -> new Lesson(Stream.of(Domain.values())
                                    .filter(variant.domains()::contains)
                                    .flatMap(domain -> Stream.generate(
                                                    () -> draw(Objects.requireNonNull(samples.get(domain)), domain))
                                            .limit(SAMPLES))
                                    .toList()),
                            (step, loss) -> heard.step(variant.name(), step, settings.steps(), loss));
            return new Result(
                    variant.name(), adapter.parameterCount(), share(model, Domain.PLAIN), share(model, Domain.SHIFTED));
        }
    }

    private static Question draw(Random random, Domain domain) {
        Scene scene = Scene.draw(random);
        Question.Kind kind = Question.Kind.TOLD_APART.get(random.nextInt(Question.Kind.TOLD_APART.size()));
        return domain == Domain.PLAIN ? Question.shown(scene, kind) : Question.shifted(scene, kind);
    }

    /** On scenes that no training has seen. */
    private double share(VisionLanguageModel model, Domain domain) {
        Random random = new Random(seed("test").value());
        Lesson lesson = new Lesson(Stream.generate(() -> draw(random, domain))
                .limit(settings.tests())
                .toList());
        return (double) lesson.right(model) / settings.tests();
    }
}
