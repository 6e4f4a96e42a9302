package io.lorica.model.clip;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.model.BaseModel;
import io.lorica.model.Batch;
import io.lorica.model.Distances;
import io.lorica.model.Fixture;
import io.lorica.model.ImageTextModel;
import io.lorica.model.Pass;
import io.lorica.model.SequenceContract;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.List;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The contract runs on the text tower, the tests here on images and on both. */
class ClipParityTest extends SequenceContract {
    private static final int END = 60;

    @Override
    protected Stream<String> fixtures() {
        return Stream.of("clip", "clip-legacy");
    }

    @Override
    protected String kind() {
        return "text";
    }

    @Override
    protected Tensor answer(BaseModel model, Batch batch) {
        return ((ImageTextModel) model).textFeatures(batch, Pass.inference());
    }

    /** Texts without an end token, as the contract makes them, get one. */
    @Override
    protected Batch batch(List<long[]> ids, List<long[]> segments) {
        return Batch.of(ids.stream().map(ClipParityTest::ended).toList());
    }

    private static long[] ended(long[] ids) {
        long[] ended = ids.clone();
        ended[ids.length - 1] = Math.max(END, ended[ids.length - 1]);
        return ended;
    }

    @ParameterizedTest
    @MethodSource("fixtures")
    void imageFeatures_severalImages_equalTransformers(String name) {
        Fixture fixture = Fixture.named(name);
        try (ImageTextModel model = (ImageTextModel) fixture.load(DType.F32);
                Grad _ = Grad.disabled();
                Scope _ = Scope.open()) {
            float[] features = Tensors.floats(model.imageFeatures(pixels(fixture, model), Pass.inference()));
            assertThat(Distances.largest(features, Distances.joined(fixture.floats("image"))))
                    .isLessThan(1e-4);
        }
    }

    @ParameterizedTest
    @MethodSource("fixtures")
    void logitsPerImage_imagesAndTexts_equalTransformers(String name) {
        Fixture fixture = Fixture.named(name);
        try (ImageTextModel model = (ImageTextModel) fixture.load(DType.F32);
                Grad _ = Grad.disabled();
                Scope _ = Scope.open()) {
            Tensor logits =
                    model.logitsPerImage(pixels(fixture, model), Batch.of(fixture.longs("ids")), Pass.inference());
            assertThat(Distances.largest(
                            Tensors.floats(logits), fixture.floats("logits").getFirst()))
                    .isLessThan(1e-4);
        }
    }

    @Test
    void sites_ofBothTowers_bearCheckpointNames() {
        try (BaseModel model = Fixture.named("clip").load(DType.F32)) {
            assertThat(model.sites())
                    .containsKeys(
                            "text_model.encoder.layers.1.self_attn.q_proj",
                            "vision_model.encoder.layers.0.mlp.fc2",
                            "vision_model.embeddings.position_embedding",
                            "visual_projection",
                            "text_projection")
                    .hasSize(2 * 2 * 6 + 5);
        }
    }

    @Test
    void textFeatures_afterTheEndToken_changesNothing() {
        try (ImageTextModel model = (ImageTextModel) Fixture.named("clip").load(DType.F32);
                Grad _ = Grad.disabled();
                Scope _ = Scope.open()) {
            Tensor alone = model.textFeatures(Batch.of(List.of(new long[] {1, 7, END})), Pass.inference());
            Tensor padded = model.textFeatures(Batch.of(List.of(new long[] {1, 7, END, END, 9})), Pass.inference());
            assertThat(Tensors.maxDifference(alone, padded)).isLessThan(1e-6);
        }
    }

    @Test
    void textFeatures_noEndToken_isRefused() {
        try (ImageTextModel model = (ImageTextModel) Fixture.named("clip").load(DType.F32);
                Scope _ = Scope.open()) {
            Batch batch = Batch.of(List.of(new long[] {1, END}, new long[] {1, 7}));
            assertThatThrownBy(() -> model.textFeatures(batch, Pass.inference()))
                    .isInstanceOf(LoricaException.BadInput.class)
                    .hasMessageContaining("text 1 of the batch lacks the end token 60");
        }
    }

    @Test
    void imageFeatures_otherSize_isRefused() {
        try (ImageTextModel model = (ImageTextModel) Fixture.named("clip").load(DType.F32);
                Scope _ = Scope.open()) {
            Tensor pixels = Tensors.zeros(DType.F32, 1, 3, 16, 12);
            assertThatThrownBy(() -> model.imageFeatures(pixels, Pass.inference()))
                    .isInstanceOf(LoricaException.BadInput.class)
                    .hasMessageContaining("[1, 3, 16, 12]")
                    .hasMessageContaining("[images, 3, 12, 12]");
        }
    }

    private static Tensor pixels(Fixture fixture, ImageTextModel model) {
        List<float[]> images = fixture.floats("pixels");
        return Tensors.of(
                Distances.joined(images), images.size(), model.channels(), model.imageSize(), model.imageSize());
    }
}
