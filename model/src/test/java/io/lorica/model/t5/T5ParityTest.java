package io.lorica.model.t5;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.model.BaseModel;
import io.lorica.model.Batch;
import io.lorica.model.Distances;
import io.lorica.model.EncoderDecoderModel;
import io.lorica.model.FamilyContract;
import io.lorica.model.Fixture;
import io.lorica.model.ModelConfig;
import io.lorica.model.ModelLoader;
import io.lorica.model.Pass;
import io.lorica.model.SourceGenerator;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class T5ParityTest extends FamilyContract {

    @Override
    protected Stream<String> fixtures() {
        return Stream.of("t5", "t5-gated");
    }

    @Override
    protected String kind() {
        return "logits";
    }

    @Override
    protected Tensor one(BaseModel model, Fixture fixture, int input) {
        return logits(
                model,
                List.of(fixture.longs("ids").get(input)),
                List.of(fixture.longs("target").get(input)));
    }

    @Override
    protected Tensor all(BaseModel model, Fixture fixture) {
        return logits(model, fixture.longs("ids"), fixture.longs("target"));
    }

    private static Tensor logits(BaseModel model, List<long[]> sources, List<long[]> targets) {
        return ((EncoderDecoderModel) model).logits(Batch.of(sources), Batch.of(targets), Pass.inference());
    }

    @ParameterizedTest
    @MethodSource("fixtures")
    void greedy_withCaches_equalsTransformers(String name) {
        Fixture fixture = Fixture.named(name);
        try (EncoderDecoderModel model = (EncoderDecoderModel) fixture.load(DType.F32)) {
            for (int i = 0; i < fixture.longs("ids").size(); i++) {
                assertThat(SourceGenerator.greedy(model, fixture.longs("ids").get(i), 12))
                        .as("source %d", i)
                        .isEqualTo(fixture.longs("generated").get(i));
            }
        }
    }

    @Test
    void greedy_atTheEndToken_stops() {
        Fixture fixture = Fixture.named("t5-gated");
        long[] free = fixture.longs("generated").get(2);
        ObjectNode json = fixture.config().json().deepCopy();
        ModelConfig config = new ModelConfig(json.put("eos_token_id", free[4]), "config.json");
        try (EncoderDecoderModel model = (EncoderDecoderModel) ModelLoader.load(fixture.source(), config, DType.F32)) {
            assertThat(SourceGenerator.greedy(model, fixture.longs("ids").get(2), 12))
                    .isEqualTo(Arrays.copyOf(free, 5));
        }
    }

    @Test
    void logits_configurationOfTheHub_equalTransformers() {
        Fixture fixture = Fixture.named("t5-gated");
        try (BaseModel model = ModelLoader.load(fixture.source(), fixture.config("config-hub.json"), DType.F32)) {
            assertThat(Distances.largest(
                            alone(fixture, model, 2), fixture.floats("logits").get(2)))
                    .isLessThan(1e-4);
        }
    }

    @Test
    void sites_ofVersionOne_areTheModulesWithATiedHead() {
        try (BaseModel model = Fixture.named("t5").load(DType.F32)) {
            assertThat(model.sites())
                    .containsKeys(
                            "shared",
                            "encoder.block.2.layer.0.SelfAttention.q",
                            "decoder.block.1.layer.1.EncDecAttention.v",
                            "decoder.block.1.layer.2.DenseReluDense.wi",
                            "decoder.block.0.layer.0.SelfAttention.relative_attention_bias",
                            "lm_head");
            assertThat(model.outputHead()).isEqualTo("lm_head");
        }
    }

    @Test
    void logits_inTraining_dropTheSameForTheSameSeed() {
        Fixture fixture = Fixture.named("t5");
        try (EncoderDecoderModel model = (EncoderDecoderModel) fixture.load(DType.F32);
                Grad _ = Grad.disabled();
                Scope _ = Scope.open()) {
            Batch source = Batch.of(List.of(fixture.longs("ids").get(0)));
            Batch target = Batch.of(List.of(fixture.longs("target").get(0)));
            float[] first = Tensors.floats(model.logits(source, target, Pass.training(new Seed(1))));
            assertThat(Tensors.floats(model.logits(source, target, Pass.training(new Seed(1)))))
                    .isEqualTo(first)
                    .isNotEqualTo(Tensors.floats(model.logits(source, target, Pass.inference())));
        }
    }

    @Test
    void decode_otherCountOfTargetsThanSources_isRefused() {
        Fixture fixture = Fixture.named("t5");
        try (EncoderDecoderModel model = (EncoderDecoderModel) fixture.load(DType.F32);
                Scope _ = Scope.open()) {
            assertThatThrownBy(() -> model.logits(
                            Batch.of(List.of(new long[] {4}, new long[] {5})),
                            Batch.of(List.of(new long[] {0})),
                            Pass.inference()))
                    .isInstanceOf(LoricaException.BadInput.class)
                    .hasMessageContaining("1 targets for 2 sources");
        }
    }
}
