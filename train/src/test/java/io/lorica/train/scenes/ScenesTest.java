package io.lorica.train.scenes;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.tensor.LoricaException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ScenesTest {
    private static final int HALF = Scene.SIDE / 2;

    /** Whether any pixel of a quarter is lit in that channel. */
    private static boolean lit(Scene scene, int channel, int quarter) {
        float[] pixels = scene.pixels();
        for (int y = 0; y < HALF; y++) {
            for (int x = 0; x < HALF; x++) {
                int row = quarter / 2 * HALF + y;
                if (pixels[(channel * Scene.SIDE + row) * Scene.SIDE + quarter % 2 * HALF + x] > -0.6f) {
                    return true;
                }
            }
        }
        return false;
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3})
    void pixels_anyCount_showAsManyObjects(int count) {
        Random random = new Random(5);
        for (int i = 0; i < 20; i++) {
            Scene drawn = Scene.draw(random);
            if (drawn.count() == count && drawn.colour() == 0) {
                int objects = 0;
                for (int quarter = 0; quarter < 4; quarter++) {
                    objects += lit(drawn, 0, quarter) ? 1 : 0;
                }
                assertThat(objects).isEqualTo(count + 1);
                assertThat(lit(drawn, 0, 0)).isEqualTo(drawn.corner() == 1);
                assertThat(lit(drawn, 2, drawn.corner() == 1 ? 0 : 1)).isFalse();
            }
        }
    }

    @Test
    void shaded_otherShade_changesTheLightAlone() {
        Scene dark = Scene.draw(new Random(1)).shaded(0);
        float[] low = dark.pixels();
        float[] high = dark.shaded(2).pixels();
        int brighter = 0;
        for (int i = 0; i < low.length; i++) {
            assertThat(high[i]).isGreaterThanOrEqualTo(low[i]);
            brighter += high[i] > low[i] ? 1 : 0;
        }
        assertThat(brighter).isPositive().isLessThan(low.length / 2);
    }

    @Test
    void draw_sameSeed_sameQuestions() {
        List<Question> first = Question.draw(new Random(2), Question.Kind.ALL, true, 5);
        List<Question> second = Question.draw(new Random(2), Question.Kind.ALL, true, 5);
        assertThat(second)
                .extracting(Question::scene)
                .isEqualTo(first.stream().map(Question::scene).toList());
    }

    /** The answer to a known question is one of the words that tell the scene; that to a new one follows it. */
    @Test
    void told_anyKind_answerFollowsFromTheWords() {
        Random random = new Random(3);
        for (int i = 0; i < 50; i++) {
            Scene scene = Scene.draw(random);
            for (Question.Kind kind : Question.Kind.KNOWN) {
                Question question = Question.told(scene, kind, random);
                assertThat(question.prompt()).hasSize(7).contains(question.answer());
            }
            Question next = Question.told(scene, Question.Kind.NEXT_COLOUR, random);
            assertThat(next.answer()).isEqualTo(2 + (scene.colour() + 1) % 4);
        }
    }

    @Test
    void run_fewSteps_comparesEveryVariantAtTheSameSize(@TempDir Path out) {
        List<ScenesExperiment.Result> results = new ScenesExperiment(
                        new ScenesExperiment.Settings(2, 2, 4, List.of(), 1))
                .run(out.resolve("run"), (_, _, _, loss) -> assertThat(loss).isPositive());
        assertThat(results)
                .hasSize(6)
                .allSatisfy(result ->
                        assertThat(result.shown()).containsOnlyKeys("colour", "shade", "shape", "count", "corner"));
        assertThat(results.subList(0, 4))
                .extracting(ScenesExperiment.Result::parameters)
                .containsOnly(results.getFirst().parameters());
        assertThat(results.get(4).parameters()).isEqualTo(results.get(5).parameters());
        assertThat(out.resolve("run").resolve("model.safetensors")).exists();
    }

    @Test
    void settings_unknownName_isRefusedWithASuggestion() {
        assertThatThrownBy(() -> new ScenesExperiment.Settings(1, 1, 1, List.of("mm-lora 4/13"), 1))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("did you mean 'mm-lora 4/12'");
    }

    @Test
    void run_directoryWithModel_isRefused(@TempDir Path out) throws java.io.IOException {
        Files.writeString(out.resolve("config.json"), "{}");
        ScenesExperiment experiment = new ScenesExperiment(new ScenesExperiment.Settings(1, 1, 1, List.of(), 1));
        assertThatThrownBy(() -> experiment.run(out, (_, _, _, _) -> {}))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("holds a model already");
    }
}
