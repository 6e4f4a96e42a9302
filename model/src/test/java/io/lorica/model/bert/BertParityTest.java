package io.lorica.model.bert;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.model.BaseModel;
import io.lorica.model.Batch;
import io.lorica.model.ClassifierModel;
import io.lorica.model.Distances;
import io.lorica.model.EncoderContract;
import io.lorica.model.Fixture;
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
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class BertParityTest extends EncoderContract {

    @Override
    protected Stream<String> fixtures() {
        return Stream.of("bert", "bert-classifier", "roberta", "roberta-regression");
    }

    @ParameterizedTest
    @ValueSource(strings = {"bert", "roberta"})
    void pool_packedSequences_equalsTransformers(String name) {
        Fixture fixture = Fixture.named(name);
        try (BertModel model = (BertModel) fixture.load(DType.F32);
                Grad _ = Grad.disabled();
                Scope _ = Scope.open()) {
            Batch batch = batch(fixture.longs("ids"), fixture.longs("segments"));
            float[] pooled = Tensors.floats(model.pool(model.hidden(batch, Pass.inference()), batch, Pass.inference()));
            assertThat(Distances.largest(pooled, Distances.joined(fixture.floats("pooled"))))
                    .isLessThan(1e-4);
        }
    }

    @ParameterizedTest
    @CsvSource({"bert-classifier, 3", "roberta-regression, 1"})
    void scores_packedSequences_equalTransformers(String name, int labels) {
        Fixture fixture = Fixture.named(name);
        try (BaseModel model = fixture.load(DType.F32)) {
            assertThat(((ClassifierModel) model).labels()).isEqualTo(labels);
            assertThat(Distances.largest(scores(fixture, model), Distances.joined(fixture.floats("scores"))))
                    .isLessThan(1e-4);
        }
    }

    @Test
    void encode_equalLengthsTogether_equalsEachAlone() {
        Fixture fixture = Fixture.named("bert");
        long[] first = fixture.longs("ids").get(0);
        long[] second = first.clone();
        second[4] = 7;
        try (BertModel model = (BertModel) fixture.load(DType.F32);
                Grad _ = Grad.disabled();
                Scope _ = Scope.open()) {
            float[] together = Tensors.floats(model.hidden(Batch.of(List.of(first, second)), Pass.inference()));
            float[] apart = Distances.joined(List.of(
                    Tensors.floats(model.hidden(Batch.of(List.of(first)), Pass.inference())),
                    Tensors.floats(model.hidden(Batch.of(List.of(second)), Pass.inference()))));
            assertThat(Distances.largest(together, apart)).isLessThan(1e-5);
        }
    }

    @Test
    void load_oldNormNamesAndForeignHeads_isTheSameEncoder() {
        Fixture fixture = Fixture.named("bert-classifier");
        RenamedTensors old = new RenamedTensors(
                fixture.source(),
                name -> name.replace("LayerNorm.weight", "LayerNorm.gamma")
                        .replace("LayerNorm.bias", "LayerNorm.beta")
                        .replace("classifier", "cls.seq_relationship"));
        try (BaseModel model = ModelLoader.loadClassifier(old, fixture.config(), DType.F32, 3, new Seed(1))) {
            assertThat(model.ignored()).containsOnlyKeys("cls.seq_relationship.weight", "cls.seq_relationship.bias");
            assertThat(Distances.largest(
                            alone(fixture, model, 0), fixture.floats("hidden").get(0)))
                    .isLessThan(1e-4);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"bert", "roberta"})
    void loadClassifier_bareEncoder_putsAHeadOnIt(String name) {
        Fixture fixture = Fixture.named(name);
        try (ClassifierModel model =
                        ModelLoader.loadClassifier(fixture.source(), fixture.config(), DType.F32, 5, new Seed(1));
                ClassifierModel again =
                        ModelLoader.loadClassifier(fixture.source(), fixture.config(), DType.F32, 5, new Seed(1));
                ClassifierModel other =
                        ModelLoader.loadClassifier(fixture.source(), fixture.config(), DType.F32, 5, new Seed(2))) {
            assertThat(model.sites()).containsKey(name + ".encoder.layer.1.output.dense");
            assertThat(scores(fixture, model)).hasSize(5 * 4).isEqualTo(scores(fixture, again));
            assertThat(scores(fixture, model)).isNotEqualTo(scores(fixture, other));
            assertThat(alone(fixture, model, 0)).isEqualTo(encodedBare(fixture));
        }
    }

    @Test
    void encode_inTraining_dropsTheSameForTheSameSeed() {
        Fixture fixture = Fixture.named("bert");
        try (BertModel model = (BertModel) fixture.load(DType.F32);
                Grad _ = Grad.disabled();
                Scope _ = Scope.open()) {
            Batch batch = batch(fixture.longs("ids"), fixture.longs("segments"));
            float[] first = Tensors.floats(model.hidden(batch, Pass.training(new Seed(1))));
            assertThat(Tensors.floats(model.hidden(batch, Pass.training(new Seed(1)))))
                    .isEqualTo(first);
            assertThat(Tensors.floats(model.hidden(batch, Pass.training(new Seed(2)))))
                    .isNotEqualTo(first);
        }
    }

    @Test
    void encode_noTokenTypes_countsAllAsTheFirstText() {
        Fixture fixture = Fixture.named("bert");
        List<long[]> ids = fixture.longs("ids");
        List<long[]> zeros =
                ids.stream().map(sequence -> new long[sequence.length]).toList();
        try (BertModel model = (BertModel) fixture.load(DType.F32);
                Grad _ = Grad.disabled();
                Scope _ = Scope.open()) {
            assertThat(Tensors.floats(model.hidden(Batch.of(ids), Pass.inference())))
                    .isEqualTo(Tensors.floats(model.hidden(batch(ids, zeros), Pass.inference())));
        }
    }

    @Test
    void encode_robertaAtItsLastPosition_countsTheRowsItLeavesOut() {
        try (BertModel model = (BertModel) Fixture.named("roberta").load(DType.F32);
                Scope _ = Scope.open()) {
            assertThat(model.contextLength()).isEqualTo(62);
            assertThat(model.hidden(Batch.of(List.of(new long[62])), Pass.inference())
                            .size(0))
                    .isEqualTo(62);
            assertThatThrownBy(() -> model.hidden(Batch.of(List.of(new long[63])), Pass.inference()))
                    .isInstanceOf(LoricaException.BadInput.class)
                    .hasMessageContaining("63 tokens");
        }
    }

    @Test
    void withSegments_otherCountThanTokens_isRefused() {
        try (Scope _ = Scope.open()) {
            Batch batch = Batch.of(List.of(new long[] {5, 6}));
            assertThatThrownBy(() -> batch.withSegments(List.of(new long[] {0})))
                    .isInstanceOf(LoricaException.BadInput.class)
                    .hasMessageContaining("1 token types for 2 tokens");
        }
    }

    private float[] encodedBare(Fixture fixture) {
        try (BaseModel model = fixture.load(DType.F32)) {
            return alone(fixture, model, 0);
        }
    }

    private float[] scores(Fixture fixture, BaseModel model) {
        try (Grad _ = Grad.disabled();
                Scope _ = Scope.open()) {
            Batch batch = batch(fixture.longs("ids"), fixture.longs("segments"));
            return Tensors.floats(((ClassifierModel) model).scores(batch, Pass.inference()));
        }
    }
}
