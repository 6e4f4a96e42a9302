package io.lorica.train.speech;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.Adapter;
import io.lorica.adapter.AdapterConfig;
import io.lorica.adapter.AdapterStack;
import io.lorica.adapter.Scales;
import io.lorica.adapter.Trainable;
import io.lorica.model.ModelLoader;
import io.lorica.model.Pass;
import io.lorica.model.Rates;
import io.lorica.model.SpeechModel;
import io.lorica.model.audio.LogMel;
import io.lorica.model.audio.Sound;
import io.lorica.model.image.Film;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import io.lorica.train.FreshMaps;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MatryoshkaTest {
    private static final SpeechSizes SIZES = new SpeechSizes(16, 1, 8);
    private static final Pass PASS = Pass.training(new Seed(1));

    @SuppressWarnings("NullAway.Init")
    private SpeechModel model;

    @SuppressWarnings("NullAway.Init")
    private AdapterStack stack;

    @BeforeEach
    void open() {
        model = (SpeechModel) ModelLoader.load(new FreshMaps(SIZES.shapes(), new Seed(2)), SIZES.config(), DType.F32);
        stack = new AdapterStack(model);
    }

    @AfterEach
    void close() {
        stack.close();
        model.close();
    }

    @ParameterizedTest
    @ValueSource(strings = {"ms", "ss", "mss"})
    void backward_allScales_isTheMeanOfTheirGradients(String strategy) {
        Adapter adapter = adapter(strategy);
        try (Scope _ = Scope.open()) {
            Encoded batch = batch();
            new Matryoshka(model, adapter).backward(batch, PASS);
            Map<String, float[]> together = gradients(adapter);
            Map<String, float[]> sum = new LinkedHashMap<>();
            Scales scales = adapter.scales().orElseThrow();
            for (Rates scale : scales.scales()) {
                clear(adapter);
                scales.train(scale);
                batch.loss(model, scale, PASS).backward();
                gradients(adapter).forEach((name, values) -> sum.merge(name, values, MatryoshkaTest::plus));
            }
            assertThat(together.keySet()).isEqualTo(sum.keySet());
            together.forEach((name, values) -> {
                float[] expected = sum.getOrDefault(name, values);
                for (int i = 0; i < values.length; i++) {
                    assertThat(Math.abs(values[i] - expected[i] / 4)).as(name).isLessThan(1e-6f);
                }
            });
        }
    }

    @Test
    void backward_oneScale_leavesOtherProjectorsWithoutGradient() {
        Adapter adapter = adapter("ss");
        adapter.scales().orElseThrow().train(new Rates(16, 2));
        try (Scope _ = Scope.open()) {
            batch().loss(model, new Rates(16, 2), PASS).backward();
            assertThat(gradients(adapter).keySet())
                    .anyMatch(name -> name.contains("audio_proj.2."))
                    .anyMatch(name -> name.contains("video_proj.1."))
                    .noneMatch(name -> name.contains("audio_proj.1."))
                    .noneMatch(name -> name.contains("video_proj.2."));
        }
    }

    @Test
    void train_fewSteps_lowersTheLoss() {
        Adapter adapter = adapter("mss");
        List<Double> losses = new ArrayList<>();
        try (Scope _ = Scope.open()) {
            new Matryoshka(model, adapter).train(batch(), 12, 3, 5e-2, new Seed(4), (_, _, loss) -> losses.add(loss));
        }
        assertThat(losses.getLast()).isLessThan(losses.getFirst());
    }

    private Adapter adapter(String strategy) {
        Adapter adapter = Adapter.create(model, config(strategy), new Seed(3));
        stack.add("a", adapter);
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            adapter.trainables().stream()
                    .filter(trainable -> trainable.name().contains("lora_down"))
                    .forEach(trainable -> trainable
                            .tensor()
                            .normal_(0, 0.1, new Seed(5).of(trainable.name()).generator()));
        }
        stack.activate("a");
        return adapter;
    }

    private static AdapterConfig config(String strategy) {
        String settings = "{'rank': 4, 'alpha': 4, 'lora_strategy': '" + strategy + "', 'modules_to_save': ["
                + "'audio_proj.1', 'audio_proj.2', 'video_proj.1', 'video_proj.2'],"
                + "'target_modules': ['self_attn.o_proj']}";
        try {
            return AdapterConfig.of("mtsk", (ObjectNode) new ObjectMapper().readTree(settings.replace('\'', '"')));
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    private Encoded batch() {
        Random random = new Random(6);
        List<DigitClip> clips = IntStream.range(0, 3)
                .mapToObj(_ -> new DigitClip(
                        new Sound(new float[0], LogMel.RATE),
                        numbers(random, SIZES.bins() * DigitClip.DIGITS * DigitClip.FRAMES),
                        new Film(
                                numbers(
                                        random,
                                        DigitClip.DIGITS * DigitClip.PICTURES * DigitClip.SIDE * DigitClip.SIDE),
                                DigitClip.SIDE),
                        random.ints(DigitClip.DIGITS, 0, 10).toArray()))
                .toList();
        try (Grad _ = Grad.disabled()) {
            return Encoded.of(model, clips, Pass.inference());
        }
    }

    private static float[] numbers(Random random, int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = random.nextFloat();
        }
        return values;
    }

    private static Map<String, float[]> gradients(Adapter adapter) {
        Map<String, float[]> gradients = new LinkedHashMap<>();
        for (Trainable trainable : adapter.trainables()) {
            Tensor gradient = trainable.tensor().grad();
            if (gradient.defined()) {
                gradients.put(trainable.name(), Tensors.floats(gradient));
            }
        }
        return gradients;
    }

    private static void clear(Adapter adapter) {
        adapter.trainables()
                .forEach(trainable -> trainable.tensor().mutable_grad().reset());
    }

    private static float[] plus(float[] left, float[] right) {
        float[] sum = new float[left.length];
        for (int i = 0; i < sum.length; i++) {
            sum[i] = left[i] + right[i];
        }
        return sum;
    }
}
