package io.lorica.model.whisper;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.model.AudioEncoder;
import io.lorica.model.BaseModel;
import io.lorica.model.Distances;
import io.lorica.model.Fixture;
import io.lorica.model.ModelLoader;
import io.lorica.model.Pass;
import io.lorica.model.RenamedTensors;
import io.lorica.model.audio.LogMel;
import io.lorica.model.audio.Sound;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Against transformers' answers of {@code bench/peers/make_whisper_fixtures.py}. */
class WhisperParityTest {
    private static final Fixture FIXTURE = Fixture.named("whisper");

    @ParameterizedTest
    @CsvSource({"whisper, 80", "whisper-128, 128"})
    void features_paddedToASecond_equalTransformers(String name, int bins) {
        Fixture fixture = Fixture.named(name);
        try (Scope _ = Scope.open()) {
            Tensor features = new LogMel(bins).features(sound(fixture), 100);
            assertThat(Distances.largest(
                            Tensors.floats(features), fixture.floats("padded").getFirst()))
                    .isLessThan(1e-4);
        }
    }

    @ParameterizedTest
    @CsvSource({"whisper, 80", "whisper-128, 128"})
    void features_ofTheSoundAlone_equalTransformers(String name, int bins) {
        Fixture fixture = Fixture.named(name);
        try (Scope _ = Scope.open()) {
            Tensor features = new LogMel(bins).features(sound(fixture));
            assertThat(Distances.largest(
                            Tensors.floats(features), fixture.floats("unpadded").getFirst()))
                    .isLessThan(1e-4);
        }
    }

    @ParameterizedTest
    @CsvSource({"whisper, 80", "whisper-128, 128"})
    void states_ofASecond_equalTransformers(String name, int bins) {
        Fixture fixture = Fixture.named(name);
        try (BaseModel model = fixture.load(DType.F32)) {
            assertThat(difference(fixture, model, bins)).isLessThan(1e-4);
        }
    }

    @Test
    void load_namesOfTheBareModel_computesTheSame() {
        try (BaseModel model = ModelLoader.load(
                new RenamedTensors(FIXTURE.source(), name -> name.replaceFirst("^model\\.", "")),
                FIXTURE.config(),
                DType.F32)) {
            assertThat(difference(FIXTURE, model, 80)).isLessThan(1e-4);
        }
    }

    @Test
    void sites_ofTheEncoder_areEveryLinearMap() {
        try (BaseModel model = FIXTURE.load(DType.F32)) {
            assertThat(model.sites())
                    .containsKeys("model.encoder.layers.1.self_attn.out_proj", "model.encoder.layers.0.fc2")
                    .hasSize(2 * 6 + 1);
        }
    }

    @Test
    void states_moreFramesThanPositions_areRefused() {
        try (AudioEncoder model = (AudioEncoder) FIXTURE.load(DType.F32);
                Scope _ = Scope.open()) {
            assertThatThrownBy(() -> model.states(Tensors.zeros(DType.F32, 1, 80, 101), Pass.inference()))
                    .isInstanceOf(LoricaException.BadInput.class)
                    .hasMessageContaining("[clips, 80, 1 to 100 frames]");
        }
    }

    private static Sound sound(Fixture fixture) {
        return new Sound(fixture.floats("samples").getFirst(), LogMel.RATE);
    }

    private static double difference(Fixture fixture, BaseModel model, int bins) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor features = Tensors.of(fixture.floats("padded").getFirst(), 1, bins, 100);
            Tensor states = ((AudioEncoder) model).states(features, Pass.inference());
            return Distances.largest(
                    Tensors.floats(states), fixture.floats("states").getFirst());
        }
    }
}
