package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.model.Batch;
import io.lorica.model.CausalModel;
import io.lorica.model.Pass;
import io.lorica.model.Rates;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Collectors;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class MtskMethodTest extends MethodContract {
    private static final Rates SECOND = new Rates(16, 2);

    @Override
    String method() {
        return "mtsk";
    }

    @Override
    String settings() {
        return "{'rank': 4, 'alpha': 4, 'lora_strategy': 'mss', 'audio_rates': [4], 'video_rates': [], " + TARGETS
                + "}";
    }

    @Override
    String impossible() {
        return "{'rank': 4000, " + TARGETS + "}";
    }

    @Override
    List<String> suffixes() {
        return List.of(
                ".lora_down_shared.weight", ".lora_up_shared.weight", ".lora_down.a4.weight", ".lora_up.a4.weight");
    }

    private static String manyScales(String strategy) {
        return "{'rank': 4, 'alpha': 4, 'lora_strategy': '" + strategy + "', 'target_modules': ['q_proj', 'v_proj']}";
    }

    private Adapter shaken(String name, String settings) {
        Adapter adapter = create(model, settings, new Seed(3));
        TinyModels.shake(adapter, 0.3, new Seed(5));
        stack.add(name, adapter);
        return adapter;
    }

    @ParameterizedTest
    @ValueSource(strings = {"ms", "ss", "mss"})
    void use_eachScale_equalsTheLoraSavedForIt(String strategy, @TempDir Path out) {
        Adapter adapter = shaken("a", manyScales(strategy));
        Scales scales = adapter.scales().orElseThrow();
        for (Rates rates : scales.scales()) {
            scales.use(rates);
            stack.activate("a");
            float[] expected = logits();
            adapter.save(out.resolve(rates.key()));
            Adapter lora = Adapter.load(model, out.resolve(rates.key()), LoadOptions.STRICT);
            assertThat(lora.config().method().info().name()).isEqualTo("lora");
            stack.add(rates.key(), lora);
            stack.activate(rates.key());
            assertThat(TinyModels.difference(logits(), expected))
                    .as(rates.key())
                    .isLessThan(1e-5);
        }
    }

    @Test
    void use_onlySharedFactors_isTheSameAtEachScale() {
        Scales scales = shaken("a", manyScales("ms")).scales().orElseThrow();
        stack.activate("a");
        float[] first = logits();
        scales.use(SECOND);
        assertThat(logits()).isEqualTo(first);
    }

    @Test
    void use_ownFactors_differsByScale() {
        Scales scales = shaken("a", manyScales("ss")).scales().orElseThrow();
        stack.activate("a");
        float[] first = logits();
        scales.use(SECOND);
        assertThat(TinyModels.difference(logits(), first)).isGreaterThan(1e-3);
    }

    @Test
    void use_unknownRates_areRefusedWithTheKnown() {
        Scales scales = shaken("a", manyScales("ss")).scales().orElseThrow();
        assertThatThrownBy(() -> scales.use(new Rates(8, 2)))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("audio 8, video 2; it knows 4/2, 16/2, 4/5, 16/5");
    }

    /** Both factors of a pair would be zero, and never learn, if the other did not start at random. */
    @ParameterizedTest
    @ValueSource(strings = {"ms", "ss", "mss"})
    void backward_atTheStart_reachesDownAndNotUp(String strategy) {
        Adapter adapter = create(model, manyScales(strategy), new Seed(3));
        stack.add("a", adapter);
        adapter.scales().orElseThrow().train(SECOND);
        backward("a");
        try (Scope _ = Scope.open()) {
            for (Trainable trainable : moved(adapter)) {
                double largest = trainable.tensor().grad().abs().max().item_double();
                if (trainable.name().contains("lora_up")) {
                    assertThat(largest).as(trainable.name()).isZero();
                } else {
                    assertThat(largest).as(trainable.name()).isPositive();
                }
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"ms, .weight", "ss, .a16_v2.weight", "mss, _shared.weight .a16_v2.weight"})
    void backward_oneScale_reachesItsPairsOnly(String strategy, String names) {
        Adapter adapter = shaken("a", manyScales(strategy));
        adapter.scales().orElseThrow().train(SECOND);
        backward("a");
        try (Scope _ = Scope.open()) {
            assertThat(moved(adapter).stream()
                            .map(trainable -> trainable.name().replaceFirst(".*lora_(up|down)", ""))
                            .collect(Collectors.toSet()))
                    .containsExactlyInAnyOrderElementsOf(List.of(names.split(" ", -1)));
        }
    }

    @Test
    void apply_specificFactorsZero_isTheSharedStrategy() {
        Adapter both = shaken("mss", manyScales("mss"));
        Adapter shared = create(model, manyScales("ms"), new Seed(3));
        stack.add("ms", shared);
        try (Grad _ = Grad.disabled()) {
            both.sites()
                    .forEach((name, part) -> part.tensors().forEach((suffix, tensor) -> {
                        if (suffix.contains("_shared")) {
                            tensor(shared, name, suffix.replace("_shared", "")).copy_(tensor);
                        } else if (suffix.startsWith("lora_down")) {
                            tensor.zero_();
                        }
                    }));
        }
        stack.activate("mss");
        float[] expected = logits();
        stack.activate("ms");
        assertThat(TinyModels.difference(logits(), expected)).isLessThan(1e-6);
    }

    @Test
    void scales_ofAdapter_goVideoByVideo() {
        assertThat(shaken("a", manyScales("ms")).scales().orElseThrow().scales())
                .containsExactly(new Rates(4, 2), new Rates(16, 2), new Rates(4, 5), new Rates(16, 5));
    }

    @Test
    void parse_rateTwice_isRefused() {
        assertThatThrownBy(() -> TinyModels.config("mtsk", "{'audio_rates': [4, 4]}"))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("audio_rates");
    }

    /** Llama-3.2-1B at reduction 32: q is 2048 x 2048 and v 512 x 2048, so that both have rank 64. */
    @ParameterizedTest
    @CsvSource({"ms, 6815744", "ss, 27262976", "mss, 34078720"})
    void plan_llama32_1b_hasThePublishedCounts(String strategy, long count) {
        long perLayer = 64L * (2048 + 2048) + 64L * (2048 + 512);
        int pairs = strategy.equals("ms") ? 1 : strategy.equals("ss") ? 4 : 5;
        assertThat(16 * perLayer * pairs).isEqualTo(count);
        Adapter adapter = create(model, manyScales(strategy), new Seed(3));
        stack.add("a", adapter);
        long expected = adapter.sites().values().stream()
                .mapToLong(part -> pairs
                        * (part.site().in() / 4)
                        * (part.site().in() + part.site().out()))
                .sum();
        assertThat(adapter.parameterCount()).isEqualTo(expected);
    }

    private static Tensor tensor(Adapter adapter, String site, String suffix) {
        return Objects.requireNonNull(
                Objects.requireNonNull(adapter.sites().get(site)).tensors().get(suffix));
    }

    private void backward(String name) {
        stack.activate(name);
        try (Scope _ = Scope.open()) {
            Tensor logits =
                    ((CausalModel) model).logits(Batch.of(List.of(TinyModels.PROMPT)), Pass.training(new Seed(1)));
            logits.square().sum().backward();
        }
    }

    /** Those that a backward pass reached. */
    private static List<Trainable> moved(Adapter adapter) {
        List<Trainable> moved = new ArrayList<>();
        for (Trainable trainable : adapter.trainables()) {
            if (trainable.tensor().grad().defined()) {
                moved.add(trainable);
            }
        }
        return moved;
    }
}
