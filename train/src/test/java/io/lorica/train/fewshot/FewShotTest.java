package io.lorica.train.fewshot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.AdapterConfig;
import io.lorica.model.ImageTextModel;
import io.lorica.model.ModelFiles;
import io.lorica.model.ModelLoader;
import io.lorica.model.Tokenizer;
import io.lorica.model.image.ImageProcessor;
import io.lorica.model.image.Picture;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Tensors;
import io.lorica.train.eval.Interval;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Pictures of one colour with noise; a CLIP that was shown two colours learns two others from a few pictures. */
@SuppressWarnings("NullAway.Init")
class FewShotTest {
    private static final ImageSet COLOURS = colours();

    @TempDir
    static Path folder;

    private static ImageTextModel model;
    private static Tokenizer tokenizer;
    private static ImageProcessor processor;

    @BeforeAll
    static void pretrain() {
        ClipPretrainer.Settings settings = new ClipPretrainer.Settings(25, 8, 1e-3, 0, "a photo of a {}.");
        new ClipPretrainer(settings).run(List.of(COLOURS.only(ImageSet.Part.BASE)), folder, (_, _) -> {});
        ModelFiles files = ModelFiles.open(folder);
        model = (ImageTextModel) ModelLoader.load(files.tensors(), files.config(), DType.F32);
        tokenizer = files.tokenizer();
        processor = ImageProcessor.read(folder);
    }

    @AfterAll
    static void close() {
        tokenizer.close();
        model.close();
    }

    private static FewShot fewShot(int seeds) {
        FewShotConfig config = new FewShotConfig(List.of(4), seeds, 10, 8, 3e-3, 0.5, 0.5, "a photo of a {}.");
        return new FewShot(model, tokenizer, processor, COLOURS.only(ImageSet.Part.NEW), config);
    }

    private static AdapterConfig adapter(String method, String targets) {
        ObjectNode settings = JsonNodeFactory.instance.objectNode();
        settings.put("target_modules", targets);
        return AdapterConfig.of(method, settings);
    }

    private static List<FewShotRow> run(int seeds, String method, String targets) {
        return fewShot(seeds).run(method, adapter(method, targets), _ -> {});
    }

    @Test
    void run_blockLoraOnBothTowers_learnsTheNewColours() {
        FewShotRow row = run(1, "block-lora", ".*\\.(q|k|v)_proj").getFirst();
        assertThat(row.accuracy().value()).isGreaterThan(0.9);
        assertThat(row.parameters()).isEqualTo(2 * 3 * 3 * 2 * (96 + 96 / 8)); // towers, layers, q k v, rank
    }

    @Test
    void run_textTowerLeftAlone_learnsFromImagesAlone() {
        assertThat(run(1, "lora", "vision_model\\..*\\.(q|k|v|out)_proj")
                        .getFirst()
                        .train())
                .isGreaterThan(0.9);
    }

    @Test
    void run_twice_givesTheSameNumbers() {
        assertThat(run(2, "block-lora", ".*\\.v_proj").getFirst().test())
                .isEqualTo(run(2, "block-lora", ".*\\.v_proj").getFirst().test());
    }

    @Test
    void run_finished_leavesEveryWeightAsItWas() {
        Map<String, float[]> before = new LinkedHashMap<>();
        model.parameters().forEach((name, parameter) -> before.put(name, Tensors.floats(parameter.value())));
        double zeroShot = fewShot(1).zeroShot().accuracy().value();
        run(1, "block-lora", ".*\\.q_proj");
        model.parameters()
                .forEach((name, parameter) ->
                        assertThat(Tensors.floats(parameter.value())).as(name).isEqualTo(before.get(name)));
        assertThat(fewShot(1).zeroShot().accuracy().value()).isEqualTo(zeroShot);
    }

    @Test
    void template_withoutAPlace_isRefused() {
        FewShotConfig config = new FewShotConfig(List.of(1), 1, 1, 1, 1e-3, 1, 0, "a photo");
        assertThatThrownBy(() -> new FewShot(model, tokenizer, processor, COLOURS, config))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("'a photo' has no {}");
    }

    @Test
    void report_ofTwoSeeds_hasTableJsonAndPlot(@TempDir Path out) {
        FewShotReport report = new FewShotReport(
                "colours",
                2,
                10,
                List.of(
                        new FewShotRow("zero-shot", 0, 0, List.of(0.5), Double.NaN, 0),
                        new FewShotRow("lora", 4, 1234, List.of(0.6, 0.8), 0.9, 1.5)));
        assertThat(report.table().text()).contains("1,234").contains("70.0 %");
        assertThat(report.json().at("/rows/1/seeds/1").doubleValue()).isEqualTo(0.8);
        report.plot(out.resolve("colours.png"));
        assertThat(Files.exists(out.resolve("colours.png"))).isTrue();
    }

    @Test
    void overSeeds_threeValues_isStudentsInterval() {
        // mean 2, deviation 1, t(2) = 4.3027: half of the interval is 4.3027 / sqrt 3
        Interval interval = Interval.overSeeds(List.of(1.0, 2.0, 3.0));
        assertThat(interval.value()).isEqualTo(2);
        assertThat(interval.high()).isCloseTo(2 + 2.4842, within(1e-3));
        assertThat(interval.low()).isCloseTo(2 - 2.4842, within(1e-3));
    }

    @Test
    void rate_ofTheProtocol_fallsFromTheFirstToTheLast() {
        FewShotConfig config = new FewShotConfig(List.of(1), 1, 1, 1, 2e-4, 1, 0, "{}");
        assertThat(config.rate(0, 100)).isEqualTo(2e-4);
        assertThat(config.rate(50, 100)).isCloseTo((2e-4 + 1e-6) / 2, within(1e-12));
        assertThat(config.rate(100, 100)).isCloseTo(1e-6, within(1e-12));
    }

    private static ImageSet colours() {
        List<String> names = List.of("red wall", "green wall", "blue wall", "yellow wall");
        int[][] values = {{200, 30, 30}, {30, 200, 30}, {30, 30, 200}, {200, 200, 30}};
        SplittableRandom random = new SplittableRandom(1);
        List<ImageSet.Labelled> train = new ArrayList<>();
        List<ImageSet.Labelled> test = new ArrayList<>();
        for (int i = 0; i < 48; i++) {
            int label = i % 4;
            byte[] samples = new byte[3 * 32 * 32];
            for (int at = 0; at < samples.length; at++) {
                samples[at] = (byte) (values[label][at % 3] + random.nextInt(-25, 26));
            }
            (i < 24 ? train : test).add(new ImageSet.Labelled(new Picture(samples, 32, 32, 3), label));
        }
        return new ImageSet("colours", names, train, test);
    }
}
