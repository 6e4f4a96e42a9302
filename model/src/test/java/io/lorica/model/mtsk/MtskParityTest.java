package io.lorica.model.mtsk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.model.Batch;
import io.lorica.model.Distances;
import io.lorica.model.Fixture;
import io.lorica.model.KvCache;
import io.lorica.model.Pass;
import io.lorica.model.Rates;
import io.lorica.model.Speech;
import io.lorica.model.SpeechModel;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Against PyTorch's answers of {@code bench/peers/make_mtsk_fixtures.py}. */
class MtskParityTest {
    private static final Fixture FIXTURE = Fixture.named("mtsk");
    private static final long[] TEXT = {1, 7, 9, 12, 30};

    @ParameterizedTest
    @ValueSource(strings = {"mtsk", "mtsk-stack"})
    void logits_atEachScale_equalTheReference(String name) {
        Fixture fixture = Fixture.named(name);
        try (SpeechModel model = (SpeechModel) fixture.load(DType.F32);
                Grad _ = Grad.disabled();
                Scope _ = Scope.open()) {
            Speech speech = encoded(model, fixture);
            for (int i = 0; i < model.scales().size(); i++) {
                long[] ids = prompt(model, model.scales().get(i));
                assertThat(ids).isEqualTo(fixture.longs("ids").get(i));
                Batch batch = Batch.of(List.of(ids))
                        .withSpeech(speech.at(model.scales().get(i)));
                assertThat(Distances.largest(
                                Tensors.floats(model.logits(batch, Pass.inference())),
                                fixture.floats("logits").get(i)))
                        .as(model.scales().get(i).key())
                        .isLessThan(1e-4);
            }
        }
    }

    @Test
    void states_ofBothEncoders_equalTheReference() {
        try (SpeechModel model = (SpeechModel) FIXTURE.load(DType.F32);
                Grad _ = Grad.disabled();
                Scope _ = Scope.open()) {
            Speech speech = encoded(model, FIXTURE);
            assertThat(Distances.largest(
                            Tensors.floats(speech.audio().getFirst()),
                            FIXTURE.floats("audio").getFirst()))
                    .isLessThan(1e-4);
            assertThat(Distances.largest(
                            Tensors.floats(speech.video().getFirst()),
                            FIXTURE.floats("video").getFirst()))
                    .isLessThan(1e-4);
        }
    }

    @Test
    void logits_twoRecordingsInOneBatch_equalThoseOfEachAlone() {
        try (SpeechModel model = (SpeechModel) FIXTURE.load(DType.F32);
                Grad _ = Grad.disabled();
                Scope _ = Scope.open()) {
            Rates rates = model.scales().getFirst();
            Speech one = encoded(model, FIXTURE).at(rates);
            Tensor shorter = one.audio().getFirst().narrow(0, 3, 12);
            Speech both = new Speech(
                    List.of(one.audio().getFirst(), shorter),
                    List.of(one.video().getFirst(), one.video().getFirst()),
                    rates);
            List<long[]> prompts = List.of(prompt(model, rates), model.prompt(TEXT, 12, 11, rates));
            float[] together = Tensors.floats(model.logits(Batch.of(prompts).withSpeech(both), Pass.inference()));
            Speech second = new Speech(List.of(shorter), one.video(), rates);
            List<float[]> alone = new ArrayList<>();
            alone.add(
                    Tensors.floats(model.logits(Batch.of(prompts.subList(0, 1)).withSpeech(one), Pass.inference())));
            alone.add(
                    Tensors.floats(model.logits(Batch.of(prompts.subList(1, 2)).withSpeech(second), Pass.inference())));
            assertThat(Distances.largest(together, Distances.joined(alone))).isLessThan(1e-5);
        }
    }

    @Test
    void nextLogits_recordingInTheCache_equalTheWhole() {
        try (SpeechModel model = (SpeechModel) FIXTURE.load(DType.F32);
                KvCache cache = model.newCache(1);
                Grad _ = Grad.disabled();
                Scope _ = Scope.open()) {
            Rates rates = model.scales().getFirst();
            long[] ids = prompt(model, rates);
            long[] before = Arrays.copyOf(ids, ids.length - 1);
            Speech speech = encoded(model, FIXTURE).at(rates);
            model.nextLogits(Batch.of(List.of(before), cache).withSpeech(speech), Pass.inference());
            Tensor next =
                    model.nextLogits(Batch.of(List.of(new long[] {ids[ids.length - 1]}), cache), Pass.inference());
            float[] whole = FIXTURE.floats("logits").getFirst();
            assertThat(Distances.largest(
                            Tensors.floats(next),
                            Arrays.copyOfRange(whole, whole.length - model.vocabularySize(), whole.length)))
                    .isLessThan(1e-4);
        }
    }

    /** {@code 1 + (floor(Ta/a) + 2) + (floor(Tv/v) + 2) + rest}. */
    @ParameterizedTest
    @CsvSource({"4, 2, 19", "16, 2, 15", "4, 5, 16", "16, 5, 12"})
    void prompt_higherRates_isShorter(int audio, int video, int length) {
        try (SpeechModel model = (SpeechModel) FIXTURE.load(DType.F32)) {
            assertThat(prompt(model, new Rates(audio, video))).hasSize(length);
        }
    }

    @Test
    void prompt_ratesWithoutProjector_areRefusedWithTheKnown() {
        try (SpeechModel model = (SpeechModel) FIXTURE.load(DType.F32)) {
            assertThatThrownBy(() -> prompt(model, new Rates(8, 2)))
                    .isInstanceOf(LoricaException.BadInput.class)
                    .hasMessageContaining("choose audio from [4, 16] and video from [2, 5]");
        }
    }

    @Test
    void prompt_recordingShorterThanAToken_isRefused() {
        try (SpeechModel model = (SpeechModel) FIXTURE.load(DType.F32)) {
            assertThatThrownBy(() -> model.prompt(TEXT, 15, 11, new Rates(16, 5)))
                    .isInstanceOf(LoricaException.BadInput.class)
                    .hasMessageContaining("a recording of 15 frames has not one token at rate 16");
        }
    }

    @Test
    void compress_stackedThenMean_isThePool() {
        try (Scope _ = Scope.open()) {
            Tensor states = Tensors.of(FIXTURE.floats("audio").getFirst(), 23, 16);
            Tensor stacked =
                    Compression.STACK.apply(states, 4).reshape(5, 4, 16).mean(1);
            assertThat(Tensors.maxDifference(stacked, Compression.AVERAGE.apply(states, 4)))
                    .isLessThan(1e-6);
        }
    }

    @Test
    void compress_rateOne_isTheIdentity() {
        try (Scope _ = Scope.open()) {
            Tensor states = Tensors.of(FIXTURE.floats("audio").getFirst(), 23, 16);
            assertThat(Tensors.maxDifference(Compression.AVERAGE.apply(states, 1), states))
                    .isZero();
        }
    }

    private static Speech encoded(SpeechModel model, Fixture fixture) {
        Tensor features = Tensors.of(fixture.floats("features").getFirst(), 1, 80, 46);
        List<Tensor> audio = List.of(
                model.ears().orElseThrow().states(features, Pass.inference()).select(0, 0));
        List<Tensor> video = model.eyes().isEmpty()
                ? List.of()
                : List.of(model.eyes()
                        .orElseThrow()
                        .states(Tensors.of(fixture.floats("films").getFirst(), 1, 11, 8, 8), Pass.inference())
                        .select(0, 0));
        return new Speech(audio, video, model.scales().getFirst());
    }

    private static long[] prompt(SpeechModel model, Rates rates) {
        return model.prompt(TEXT, 23, 11, rates);
    }
}
