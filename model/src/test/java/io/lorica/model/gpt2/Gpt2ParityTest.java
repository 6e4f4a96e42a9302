package io.lorica.model.gpt2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.model.BaseModel;
import io.lorica.model.Batch;
import io.lorica.model.CausalContract;
import io.lorica.model.CausalModel;
import io.lorica.model.Distances;
import io.lorica.model.Fixture;
import io.lorica.model.Linear;
import io.lorica.model.ModelConfig;
import io.lorica.model.ModelLoader;
import io.lorica.model.Pass;
import io.lorica.model.RenamedTensors;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class Gpt2ParityTest extends CausalContract {

    @Override
    protected Stream<String> fixtures() {
        return Stream.of("gpt2", "gpt2-scaled");
    }

    @Test
    void load_checkpointOfTheBareDecoder_isTheSameModel() {
        Fixture fixture = Fixture.named("gpt2");
        RenamedTensors bare = new RenamedTensors(fixture.source(), name -> name.substring("transformer.".length()));
        try (BaseModel model = ModelLoader.load(bare, fixture.config(), DType.F32)) {
            assertThat(model.sites()).containsKey("transformer.h.1.attn.c_attn");
            assertThat(Distances.largest(
                            alone(fixture, model, 0), fixture.floats("logits").get(0)))
                    .isLessThan(1e-4);
        }
    }

    @Test
    void sites_conv1d_areStoredInputFirst() {
        try (BaseModel model = Fixture.named("gpt2").load(DType.F32)) {
            Linear site = (Linear) Objects.requireNonNull(model.sites().get("transformer.h.0.attn.c_attn"));
            assertThat(site.fanInFanOut()).isTrue();
            assertThat(List.of(site.in(), site.out())).containsExactly(32L, 96L);
        }
    }

    @Test
    void logits_beyondTheLastPosition_areRefused() {
        try (BaseModel model = Fixture.named("gpt2").load(DType.F32);
                Scope _ = Scope.open()) {
            assertThatThrownBy(() -> ((CausalModel) model).logits(Batch.of(List.of(new long[65])), Pass.inference()))
                    .isInstanceOf(LoricaException.BadInput.class)
                    .hasMessageContaining("65 tokens")
                    .hasMessageContaining("64 positions");
        }
    }

    @Test
    void load_unknownActivation_isRefusedWithTheList() {
        Fixture fixture = Fixture.named("gpt2");
        ObjectNode json = fixture.config().json().deepCopy();
        json.put("activation_function", "gelu_nwe");
        assertThatThrownBy(() -> ModelLoader.load(fixture.source(), new ModelConfig(json, "config.json"), DType.F32))
                .isInstanceOf(LoricaException.Unsupported.class)
                .hasMessageContaining("'gelu_nwe'")
                .hasMessageContaining("did you mean 'gelu_new'")
                .hasMessageContaining("known: gelu, gelu_new, gelu_pytorch_tanh, quick_gelu, relu, silu");
    }

    @Test
    void hidden_attentionDropout_drawsBySeedInTrainingOnly() {
        Fixture fixture = Fixture.named("gpt2");
        ObjectNode json = fixture.config().json().deepCopy();
        json.put("embd_pdrop", 0).put("resid_pdrop", 0).put("attn_pdrop", 0.5);
        try (CausalModel model = (CausalModel)
                        ModelLoader.load(fixture.source(), new ModelConfig(json, "config.json"), DType.F32);
                Grad _ = Grad.disabled();
                Scope _ = Scope.open()) {
            Batch batch = Batch.of(fixture.longs("ids"));
            float[] whole = Tensors.floats(model.hidden(batch, Pass.inference()));
            float[] first = Tensors.floats(model.hidden(batch, Pass.training(new Seed(1))));
            assertThat(Tensors.floats(model.hidden(batch, Pass.training(new Seed(1)))))
                    .isEqualTo(first);
            assertThat(first)
                    .isNotEqualTo(whole)
                    .isNotEqualTo(Tensors.floats(model.hidden(batch, Pass.training(new Seed(2)))));
        }
    }
}
