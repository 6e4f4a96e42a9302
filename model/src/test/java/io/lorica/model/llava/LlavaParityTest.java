package io.lorica.model.llava;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.model.BaseModel;
import io.lorica.model.Batch;
import io.lorica.model.Distances;
import io.lorica.model.Fixture;
import io.lorica.model.KvCache;
import io.lorica.model.ModelLoader;
import io.lorica.model.Pass;
import io.lorica.model.RenamedTensors;
import io.lorica.model.VisionLanguageModel;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.Arrays;
import java.util.List;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Against transformers' answers of {@code bench/peers/make_llava_fixtures.py}; of its prompts 0 and 1 show an image. */
class LlavaParityTest {
    private static final Fixture FIXTURE = Fixture.named("llava");

    @ParameterizedTest
    @ValueSource(strings = {"llava", "llava-full"})
    void logits_twoImagesAndATextInOneBatch_equalTransformers(String name) {
        Fixture fixture = Fixture.named(name);
        try (VisionLanguageModel model = (VisionLanguageModel) fixture.load(DType.F32);
                Grad _ = Grad.disabled();
                Scope _ = Scope.open()) {
            Batch batch = Batch.of(fixture.longs("ids")).withImages(pixels(fixture, 0, 1));
            assertThat(difference(model, batch, fixture.floats("logits"))).isLessThan(1e-4);
        }
    }

    @Test
    void logits_imagesExchanged_differ() {
        try (VisionLanguageModel model = (VisionLanguageModel) FIXTURE.load(DType.F32);
                Grad _ = Grad.disabled();
                Scope _ = Scope.open()) {
            Batch batch = Batch.of(FIXTURE.longs("ids")).withImages(pixels(FIXTURE, 1, 0));
            assertThat(difference(model, batch, FIXTURE.floats("logits"))).isGreaterThan(1e-2);
        }
    }

    @Test
    void load_namesOfBeforeTransformers5_computesTheSame() {
        sameUnder(name -> name.replace("vision_tower.", "vision_tower.vision_model."));
    }

    @Test
    void load_namesOfTheModules_computesTheSame() {
        sameUnder(name -> name.startsWith("language_model.lm_head")
                ? name.replace("language_model.", "")
                : "model." + name.replace("language_model.model.", "language_model."));
    }

    private static void sameUnder(UnaryOperator<String> spelling) {
        try (VisionLanguageModel model = (VisionLanguageModel)
                        ModelLoader.load(new RenamedTensors(FIXTURE.source(), spelling), FIXTURE.config(), DType.F32);
                Grad _ = Grad.disabled();
                Scope _ = Scope.open()) {
            Batch batch = Batch.of(FIXTURE.longs("ids")).withImages(pixels(FIXTURE, 0, 1));
            assertThat(difference(model, batch, FIXTURE.floats("logits"))).isLessThan(1e-4);
        }
    }

    @Test
    void nextLogits_imageInTheCache_equalTheWhole() {
        long[] ids = FIXTURE.longs("ids").getFirst();
        try (VisionLanguageModel model = (VisionLanguageModel) FIXTURE.load(DType.F32);
                KvCache cache = model.newCache(1);
                Grad _ = Grad.disabled();
                Scope _ = Scope.open()) {
            long[] prompt = Arrays.copyOf(ids, ids.length - 1);
            model.nextLogits(Batch.of(List.of(prompt), cache).withImages(pixels(FIXTURE, 0)), Pass.inference());
            Tensor next =
                    model.nextLogits(Batch.of(List.of(new long[] {ids[ids.length - 1]}), cache), Pass.inference());
            float[] whole = FIXTURE.floats("logits").getFirst();
            int from = whole.length - model.vocabularySize();
            assertThat(Distances.largest(Tensors.floats(next), Arrays.copyOfRange(whole, from, whole.length)))
                    .isLessThan(1e-4);
        }
    }

    @Test
    void expand_onePlaceholder_isAsManyAsPatches() {
        try (VisionLanguageModel model = (VisionLanguageModel) FIXTURE.load(DType.F32)) {
            assertThat(model.expand(new long[] {1, 5, model.imageToken(), 9, 14}, 1))
                    .isEqualTo(FIXTURE.longs("ids").getFirst());
        }
    }

    @Test
    void expand_twoImagesForOnePlaceholder_isRefused() {
        try (VisionLanguageModel model = (VisionLanguageModel) FIXTURE.load(DType.F32)) {
            assertThatThrownBy(() -> model.expand(new long[] {1, model.imageToken()}, 2))
                    .isInstanceOf(LoricaException.BadInput.class)
                    .hasMessageContaining("the prompt has 1 image placeholders (token 47) for 2 images");
        }
    }

    @Test
    void logits_moreImagesThanTokens_areRefused() {
        try (VisionLanguageModel model = (VisionLanguageModel) FIXTURE.load(DType.F32);
                Scope _ = Scope.open()) {
            Batch batch = Batch.of(List.of(FIXTURE.longs("ids").getFirst())).withImages(pixels(FIXTURE, 0, 1));
            assertThatThrownBy(() -> model.logits(batch, Pass.inference()))
                    .isInstanceOf(LoricaException.BadInput.class)
                    .hasMessageContaining("the batch has 9 image tokens for 2 images of 9 each");
        }
    }

    @Test
    void sites_ofAllParts_bearTransformersModuleNames() {
        try (BaseModel model = FIXTURE.load(DType.F32)) {
            assertThat(model.sites())
                    .containsKeys(
                            "model.vision_tower.encoder.layers.2.self_attn.q_proj",
                            "model.multi_modal_projector.linear_2",
                            "model.language_model.embed_tokens",
                            "model.language_model.layers.1.mlp.down_proj",
                            "lm_head")
                    .hasSize(3 * 6 + 1 + 2 + 2 * 7 + 2);
        }
    }

    private static double difference(VisionLanguageModel model, Batch batch, List<float[]> expected) {
        float[] logits = Tensors.floats(model.logits(batch, Pass.inference()));
        return Distances.largest(logits, Distances.joined(expected));
    }

    private static Tensor pixels(Fixture fixture, int... which) {
        List<float[]> all = fixture.floats("pixels");
        float[] joined =
                Distances.joined(Arrays.stream(which).mapToObj(all::get).toList());
        return Tensors.of(joined, which.length, 3, 12, 12);
    }
}
