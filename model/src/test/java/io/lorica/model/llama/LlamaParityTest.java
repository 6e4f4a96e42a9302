package io.lorica.model.llama;

import static org.assertj.core.api.Assertions.assertThat;

import io.lorica.model.BaseModel;
import io.lorica.model.CausalContract;
import io.lorica.model.Distances;
import io.lorica.model.Fixture;
import io.lorica.model.ModelLoader;
import io.lorica.tensor.DType;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LlamaParityTest extends CausalContract {

    @Override
    protected Stream<String> fixtures() {
        return Stream.of(
                "llama2", "llama3", "smollm2", "llama-biases", "linear", "yarn", "mistral", "qwen2", "qwen2-window");
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama3", "linear", "yarn"})
    void logits_ropeSpelledAsBeforeTransformers5_areTheSame(String name) {
        Fixture fixture = Fixture.named(name);
        try (BaseModel model = ModelLoader.load(fixture.source(), fixture.config("config-old.json"), DType.F32)) {
            assertThat(Distances.largest(
                            alone(fixture, model, 2), fixture.floats("logits").get(2)))
                    .isLessThan(1e-4);
        }
    }
}
