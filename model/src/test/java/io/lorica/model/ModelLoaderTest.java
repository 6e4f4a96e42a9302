package io.lorica.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.util.Objects;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

class ModelLoaderTest {

    @Test
    void load_misspeltModelType_suggestsTheNearest() {
        assertThatThrownBy(() -> load("llama2", json -> json.put("model_type", "lama")))
                .isInstanceOf(LoricaException.Unsupported.class)
                .hasMessageContaining("model_type 'lama'")
                .hasMessageContaining("did you mean 'llama'")
                .hasMessageContaining(
                        "known: bert, clip, clip_vision_model, gpt2, llama, llama_mtsk, llava, mistral, qwen2, roberta,"
                                + " small_video, t5, vit, whisper");
    }

    @Test
    void load_quantizedCheckpoint_isRefused() {
        assertThatThrownBy(() -> load("llama2", json -> json.putObject("quantization_config")))
                .isInstanceOf(LoricaException.Unsupported.class)
                .hasMessageContaining("quantization_config");
    }

    @Test
    void load_fewerLayersThanTheCheckpoint_isRefused() {
        assertThatThrownBy(() -> load("llama2", json -> json.put("num_hidden_layers", 1)))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("9 tensors do not fit")
                .hasMessageContaining("model.layers.1.mlp.up_proj.weight is in the checkpoint");
    }

    @Test
    void load_otherWidths_namesBothShapes() {
        assertThatThrownBy(() -> load("llama2", json -> json.put("intermediate_size", 40)))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("6 tensors do not fit")
                .hasMessageContaining("model.layers.0.mlp.up_proj.weight has shape [48, 32]")
                .hasMessageContaining("[40, 32]");
    }

    @Test
    void load_tiedOutputStoredAsWell_isIgnoredWithTheReason() {
        try (BaseModel model = load("llama2", json -> json.put("tie_word_embeddings", true))) {
            assertThat(model.ignored()).containsEntry("lm_head.weight", "the output is tied to the embedding");
        }
    }

    @Test
    void load_wholeNumbersAsDtype_isRefused() {
        Fixture fixture = Fixture.named("llama2");
        assertThatThrownBy(() -> fixture.load(DType.I8))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("cannot compute in I8");
    }

    @Test
    void load_storedInTheSameType_copiesNothing() {
        Fixture fixture = Fixture.named("llama2");
        var source = fixture.source();
        try (BaseModel model = ModelLoader.load(source, fixture.config(), DType.F32);
                Scope _ = Scope.open()) {
            Parameter weight = parameter(model, "model.norm.weight");
            assertThat(weight.value().data_ptr().address())
                    .isEqualTo(source.read("model.norm.weight").data_ptr().address());
        }
    }

    @Test
    void loadClassifier_encoderWithoutItsPooler_isRefused() {
        Fixture fixture = Fixture.named("bert");
        RenamedTensors without = new RenamedTensors(fixture.source(), name -> name.replace("pooler", "cls"));
        assertThatThrownBy(() -> ModelLoader.loadClassifier(without, fixture.config(), DType.F32, 2, new Seed(1)))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("bert.pooler.dense.weight is missing");
    }

    @Test
    void loadClassifier_headForOtherLabels_isRefused() {
        Fixture fixture = Fixture.named("bert-classifier");
        assertThatThrownBy(
                        () -> ModelLoader.loadClassifier(fixture.source(), fixture.config(), DType.F32, 2, new Seed(1)))
                .isInstanceOf(LoricaException.Incompatible.class)
                .hasMessageContaining("'classifier.weight' has shape [3, 32]");
    }

    @Test
    void loadClassifier_freshHead_hasTheConfiguredDeviationAndNoBias() {
        Fixture fixture = Fixture.named("roberta");
        try (BaseModel model =
                ModelLoader.loadClassifier(fixture.source(), fixture.config(), DType.F32, 2, new Seed(1))) {
            Parameter dense = parameter(model, "classifier.dense.weight");
            Parameter bias = parameter(model, "classifier.out_proj.bias");
            assertThat(deviation(Tensors.floats(dense.value()))).isCloseTo(0.02, within(0.002));
            assertThat(Tensors.floats(bias.value())).containsOnly(0);
        }
    }

    private static Parameter parameter(BaseModel model, String name) {
        return Objects.requireNonNull(model.parameters().get(name), name);
    }

    private static BaseModel load(String name, Consumer<ObjectNode> change) {
        Fixture fixture = Fixture.named(name);
        ObjectNode json = fixture.config().json().deepCopy();
        change.accept(json);
        return ModelLoader.load(fixture.source(), new ModelConfig(json, "config.json"), DType.F32);
    }

    private static double deviation(float[] values) {
        double squares = 0;
        for (float value : values) {
            squares += (double) value * value;
        }
        return Math.sqrt(squares / values.length);
    }
}
