package io.lorica.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CausalClassifierTest {

    @ParameterizedTest
    @CsvSource({"llama-classifier, 3", "gpt2-regression, 1"})
    void scores_packedSequences_equalTransformers(String name, int labels) {
        Fixture fixture = Fixture.named(name);
        try (ClassifierModel model = (ClassifierModel) fixture.load(DType.F32)) {
            assertThat(model.labels()).isEqualTo(labels);
            assertThat(Distances.largest(scores(fixture, model), Distances.joined(fixture.floats("scores"))))
                    .isLessThan(1e-4);
        }
    }

    @ParameterizedTest
    @CsvSource({"llama2, model.embed_tokens", "smollm2, model.embed_tokens", "gpt2, transformer.wte"})
    void loadClassifier_decoder_readsTheLastTokenByAFreshHead(String name, String embedding) {
        Fixture fixture = Fixture.named(name);
        try (ClassifierModel model =
                ModelLoader.loadClassifier(fixture.source(), fixture.config(), DType.F32, 4, new Seed(1))) {
            assertThat(scores(fixture, model)).hasSize(4 * fixture.longs("ids").size());
            assertThat(model.sites()).containsKeys(embedding, "score").doesNotContainKey("lm_head");
            assertThat(model.outputHead()).isEqualTo("score");
        }
    }

    @Test
    void load_withoutAClassifiersArchitecture_isADecoder() {
        try (BaseModel model = Fixture.named("llama2").load(DType.F32)) {
            assertThat(model).isInstanceOf(CausalModel.class).isNotInstanceOf(ClassifierModel.class);
        }
    }

    private static float[] scores(Fixture fixture, ClassifierModel model) {
        try (Grad _ = Grad.disabled();
                Scope _ = Scope.open()) {
            return Tensors.floats(model.scores(Batch.of(fixture.longs("ids")), Pass.inference()));
        }
    }
}
