package io.lorica.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.awt.Color;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A CLIP of two steps, and two shots on it. */
class FewShotCommandTest {
    @TempDir
    @SuppressWarnings("NullAway.Init")
    static Path folder;

    private static String pictures = "";
    private static String clip = "";

    @BeforeAll
    static void pretrain() throws IOException {
        System.setProperty("lorica.home", folder.resolve("home").toString());
        List<Color> colours = List.of(Color.RED, Color.GREEN, Color.BLUE, Color.WHITE);
        for (int i = 0; i < colours.size(); i++) {
            for (String split : List.of("train", "test")) {
                Path directory = folder.resolve("pictures").resolve(split).resolve("colour_" + i);
                Files.createDirectories(directory);
                BufferedImage image = new BufferedImage(8, 8, BufferedImage.TYPE_INT_RGB);
                image.setRGB(0, 0, colours.get(i).getRGB());
                ImageIO.write(image, "png", directory.resolve("1.png").toFile());
            }
        }
        pictures = folder.resolve("pictures").toString();
        clip = folder.resolve("clip").toString();
        Cli run = Cli.run("pretrain-clip", "--images", pictures, "--out", clip, "--steps", "2", "--batch-size", "2");
        assertThat(run.code()).as(run.err()).isZero();
    }

    @AfterAll
    static void forgetHome() {
        System.clearProperty("lorica.home");
    }

    private static Cli fewShot(String... more) {
        return Cli.run(Stream.concat(
                        Stream.of(
                                "fewshot",
                                "--images",
                                pictures,
                                "--classes",
                                "new",
                                "--shots",
                                "1",
                                "--seeds",
                                "2",
                                "--iterations",
                                "2"),
                        Stream.of(more))
                .toArray(String[]::new));
    }

    @Test
    void fewshot_json_hasTheZeroShotRowAndOneOfEachMethod() throws IOException {
        Cli run = fewShot("--model", clip, "--method", "block-lora", "--method", "lora,r=1", "--json");
        assertThat(run.code()).as(run.err()).isZero();
        JsonNode rows = new ObjectMapper().readTree(run.out()).at("/0/rows");
        assertThat(rows.findValuesAsText("method")).containsExactly("zero-shot", "block-lora", "lora,r=1");
        assertThat(rows.at("/1/seeds")).hasSize(2);
    }

    @Test
    void fewshot_out_leavesTableJsonAndPlot() {
        Path out = folder.resolve("result");
        assertThat(fewShot("--model", clip, "--out", out.toString()).code()).isZero();
        assertThat(out)
                .isDirectoryContaining(file -> file.endsWith("fewshot.md"))
                .isDirectoryContaining(file -> file.endsWith("fewshot.json"))
                .isDirectoryContaining(file -> file.endsWith("pictures.png"));
    }

    @Test
    void fewshot_modelThatIsNoClip_saysWhatIsNeeded() {
        Cli run = fewShot("--model", "lorica-tiny");
        assertThat(run.code()).isEqualTo(1);
        assertThat(run.err()).contains("llama model").contains("needs a CLIP");
    }

    @Test
    void fewshot_unknownPartOfTheClasses_isWrongUse() {
        Cli run = Cli.run("fewshot", "--model", clip, "--images", pictures, "--classes", "nwe");
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("'nwe'").contains("did you mean 'new'");
    }
}
