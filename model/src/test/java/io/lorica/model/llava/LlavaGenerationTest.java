package io.lorica.model.llava;

import static org.assertj.core.api.Assertions.assertThat;

import io.lorica.model.Batch;
import io.lorica.model.Fixture;
import io.lorica.model.ModelStore;
import io.lorica.model.Pass;
import io.lorica.model.Pretrained;
import io.lorica.model.Sampling;
import io.lorica.model.TextGenerator;
import io.lorica.model.VisionLanguageModel;
import io.lorica.model.image.ImageProcessor;
import io.lorica.model.image.Picture;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;

/** Answers about a picture, from a directory as a person has it. */
class LlavaGenerationTest {
    private static final Fixture FIXTURE = Fixture.named("llava");
    private static final String PROMPT = "w1 w5 <image> w9 w14";
    private static final Pretrained PRETRAINED =
            ModelStore.standard().open(FIXTURE.directory().toString(), DType.F32);
    private static final VisionLanguageModel MODEL = (VisionLanguageModel) PRETRAINED.model();

    @AfterAll
    static void close() {
        PRETRAINED.close();
    }

    @Test
    void generate_aboutTransformersPixels_startsWithItsLargestLogit() {
        float[] logits = FIXTURE.floats("logits").getFirst();
        float[] last = Arrays.copyOfRange(logits, logits.length - MODEL.vocabularySize(), logits.length);
        try (Scope _ = Scope.open()) {
            Tensor pixels = Tensors.of(FIXTURE.floats("pixels").getFirst(), 1, 3, 12, 12);
            assertThat(generate(pixels, 1)).containsExactly(largest(last));
        }
    }

    @Test
    void generate_aboutAFile_equalsWholePassesWithoutCache() {
        try (Grad _ = Grad.disabled();
                Scope _ = Scope.open()) {
            Picture picture = Picture.read(Fixture.named("images").directory().resolve("wide.png"));
            Tensor pixels = ImageProcessor.read(PRETRAINED.path()).pixels(List.of(picture));
            long[] ids = MODEL.expand(PRETRAINED.tokenizer().encode(PROMPT, false), 1);
            int prompt = ids.length;
            for (int i = 0; i < 5; i++) {
                Batch batch = Batch.of(List.of(ids)).withImages(pixels);
                ids = Arrays.copyOf(ids, ids.length + 1);
                ids[ids.length - 1] = largest(Tensors.floats(MODEL.nextLogits(batch, Pass.inference())));
            }
            assertThat(generate(pixels, 5)).isEqualTo(Arrays.copyOfRange(ids, prompt, ids.length));
        }
    }

    private static long[] generate(Tensor pixels, int tokens) {
        long[] prompt = PRETRAINED.tokenizer().encode(PROMPT, false);
        return TextGenerator.generate(MODEL, PRETRAINED.tokenizer(), prompt, pixels, Sampling.greedy(tokens), _ -> {})
                .tokens();
    }

    private static long largest(float[] logits) {
        int best = 0;
        for (int i = 1; i < logits.length; i++) {
            best = logits[i] > logits[best] ? i : best;
        }
        return best;
    }
}
