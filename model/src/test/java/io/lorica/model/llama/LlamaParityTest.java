package io.lorica.model.llama;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.model.BaseModel;
import io.lorica.model.CausalContract;
import io.lorica.model.Distances;
import io.lorica.model.Fixture;
import io.lorica.model.ModelConfig;
import io.lorica.model.ModelLoader;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
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

    @Test
    void logits_windowWithoutLayerTypes_beginsAtMaxWindowLayers() {
        Fixture fixture = Fixture.named("qwen2-window");
        try (BaseModel model = load(fixture, json -> json.remove("layer_types"))) {
            assertThat(Distances.largest(
                            alone(fixture, model, 2), fixture.floats("logits").get(2)))
                    .isLessThan(1e-4);
        }
    }

    @Test
    void load_unknownLayerType_isRefused() {
        assertThatThrownBy(() -> load(
                        Fixture.named("qwen2-window"),
                        json -> json.putArray("layer_types")
                                .add("full_attention")
                                .add("chunked_attention")))
                .isInstanceOf(LoricaException.Unsupported.class)
                .hasMessageContaining("chunked_attention");
    }

    @Test
    void load_unknownRopeType_isRefusedWithTheList() {
        assertThatThrownBy(() -> load(
                        Fixture.named("llama3"),
                        json -> json.withObject("/rope_parameters").put("rope_type", "dynamic")))
                .isInstanceOf(LoricaException.Unsupported.class)
                .hasMessageContaining("'dynamic'")
                .hasMessageContaining("default, linear, llama3, yarn");
    }

    @Test
    void load_partialRotation_isRefused() {
        assertThatThrownBy(() -> load(
                        Fixture.named("llama3"),
                        json -> json.withObject("/rope_parameters").put("partial_rotary_factor", 0.5)))
                .isInstanceOf(LoricaException.Unsupported.class)
                .hasMessageContaining("partial_rotary_factor 0.5");
    }

    @Test
    void load_headsThatDoNotDivide_isRefused() {
        assertThatThrownBy(() -> load(Fixture.named("llama3"), json -> json.put("num_key_value_heads", 3)))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("num_attention_heads 4")
                .hasMessageContaining("num_key_value_heads 3");
    }

    private static BaseModel load(Fixture fixture, Consumer<ObjectNode> change) {
        ObjectNode json = fixture.config().json().deepCopy();
        change.accept(json);
        return ModelLoader.load(fixture.source(), new ModelConfig(json, "config.json"), DType.F32);
    }
}
