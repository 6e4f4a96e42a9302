package io.lorica.model.vit;

import static org.assertj.core.api.Assertions.assertThat;

import io.lorica.model.BaseModel;
import io.lorica.model.Distances;
import io.lorica.model.FamilyContract;
import io.lorica.model.Fixture;
import io.lorica.model.ImageClassifier;
import io.lorica.model.Pass;
import io.lorica.tensor.DType;
import io.lorica.tensor.Tensors;
import java.util.List;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class VitParityTest extends FamilyContract {

    @Override
    protected Stream<String> fixtures() {
        return Stream.of("vit", "vit-bare");
    }

    @Override
    protected String kind() {
        return "scores";
    }

    @Override
    protected Tensor one(BaseModel model, Fixture fixture, int input) {
        return scores(model, List.of(fixture.floats("pixels").get(input)));
    }

    @Override
    protected Tensor all(BaseModel model, Fixture fixture) {
        return scores(model, fixture.floats("pixels"));
    }

    private static Tensor scores(BaseModel model, List<float[]> images) {
        ImageClassifier vit = (ImageClassifier) model;
        Tensor pixels =
                Tensors.of(Distances.joined(images), images.size(), vit.channels(), vit.imageSize(), vit.imageSize());
        return vit.scores(Tensors.to(pixels, model.dtype()), Pass.inference());
    }

    @ParameterizedTest
    @CsvSource({"vit, 5, 3", "vit-bare, 3, 1"})
    void sizes_ofFixture_areTheConfigurations(String name, int labels, int channels) {
        try (ImageClassifier model = (ImageClassifier) Fixture.named(name).load(DType.F32)) {
            assertThat(model.labels()).isEqualTo(labels);
            assertThat(model.channels()).isEqualTo(channels);
            assertThat(model.imageSize()).isEqualTo(12);
            assertThat(model.sites()).containsKey("vit.encoder.layer.1.attention.attention.query");
        }
    }
}
