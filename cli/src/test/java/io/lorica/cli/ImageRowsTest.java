package io.lorica.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.lorica.tensor.AtomicFile;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A LLaVA model trained, resumed, measured and asked about rows with images, as a person does it. */
class ImageRowsTest {
    private static final Path FIXTURE = Path.of("..", "model", "src", "test", "resources", "fixtures", "llava");
    private static final int STEPS = 20;

    @TempDir
    @SuppressWarnings("NullAway.Init")
    static Path folder;

    private static Path model = FIXTURE;

    /** The answer to a red picture is another than that to a blue one; one row in three has no picture. */
    @BeforeAll
    static void writeRowsAndModel() throws IOException {
        model = Files.createDirectories(folder.resolve("model"));
        try (Stream<Path> files = Files.list(FIXTURE)) {
            for (Path file : files.toList()) {
                Files.copy(file, model.resolve(file.getFileName()));
            }
        }
        Files.writeString(model.resolve("tokenizer_config.json"), "{\"eos_token\": \"w2\"}");
        Files.createDirectories(folder.resolve("images"));
        paint("red", 0xe01020);
        paint("blue", 0x1020e0);
        List<String> rows = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            rows.add(row("\"image\": \"images/red.png\",", "<image> w9 w" + (10 + i), "w3"));
            rows.add(row("\"images\": [\"images/blue.png\"],", "w5 <image> w9 w" + (10 + i), "w4"));
            rows.add(row("", "w9 w" + (10 + i), "w5"));
        }
        Files.write(folder.resolve("rows.jsonl"), rows);
    }

    private static void paint(String name, int colour) throws IOException {
        BufferedImage image = new BufferedImage(14, 12, BufferedImage.TYPE_INT_RGB);
        for (int i = 0; i < 14 * 12; i++) {
            image.setRGB(i % 14, i / 14, colour);
        }
        ImageIO.write(image, "png", folder.resolve("images/" + name + ".png").toFile());
    }

    private static String row(String image, String asked, String answer) {
        return "{%s \"conversations\": [{\"from\": \"human\", \"value\": \"%s\"}, {\"from\": \"gpt\", \"value\": \"%s\"}]}"
                .formatted(image, asked, answer);
    }

    private static Cli train(Path rows, Path out, String... more) {
        return train(List.of("target_modules=all-linear"), rows, out, more);
    }

    private static Cli train(List<String> own, Path rows, Path out, String... more) {
        List<String> arguments = new ArrayList<>(List.of("train", "--model", model.toString(), "--json"));
        arguments.addAll(List.of("--out", out.toString(), "--data", rows.toString()));
        own.forEach(setting -> arguments.addAll(List.of("--set", setting)));
        for (String setting : List.of(
                "modules_to_save=multi_modal_projector",
                "learning_rate=2e-2",
                "max_steps=" + STEPS,
                "save_steps=" + STEPS / 2,
                "per_device_train_batch_size=6",
                "held_out=4",
                "dtype=float32",
                "threads=1")) {
            arguments.addAll(List.of("--set", setting));
        }
        arguments.addAll(List.of(more));
        return Cli.run(arguments.toArray(String[]::new));
    }

    private static JsonNode json(Cli run) throws IOException {
        assertThat(run.code()).as(run.err()).isZero();
        return new ObjectMapper().readTree(run.out());
    }

    @Test
    void train_rowsWithImages_learnsAndResumesEqually() throws IOException {
        Path run = folder.resolve("run");
        Path rows = folder.resolve("rows.jsonl");
        JsonNode trained = json(train(rows, run));
        assertThat(trained.get("loss_after").asDouble())
                .isLessThan(trained.get("loss_before").asDouble() / 2);
        byte[] adapter = Files.readAllBytes(run.resolve("adapter_model.safetensors"));
        AtomicFile.deleteTree(run.resolve("checkpoints/step-" + STEPS));
        json(train(rows, run, "--resume"));
        assertThat(run.resolve("adapter_model.safetensors")).hasBinaryContent(adapter);

        // what it says of the rows depends on what the pictures show
        Path swapped = folder.resolve("swapped.jsonl");
        Files.writeString(swapped, Files.readString(rows).replace("red.png", "blue.png"));
        assertThat(loss(run, swapped)).isNotEqualTo(loss(run, rows));
        assertThat(answered(run, "red").get("prompt_tokens").asInt()).isEqualTo(9 + 2);
        Path questions = folder.resolve("questions.jsonl");
        Files.write(
                questions,
                List.of(
                        "{\"image\": \"images/red.png\", \"question\": \"<image> w9 w11\", \"answer\": \"w3\"}",
                        "{\"question\": \"w9 w11\", \"answer\": \"w5\"}"));
        List<String> exact = List.of("eval", "--model", model.toString(), "--task", "exact-match", "--json");
        List<String> all = new ArrayList<>(exact);
        all.addAll(List.of("--data", questions.toString(), "--adapter", run.toString(), "--max-tokens", "2"));
        assertThat(json(Cli.run(all.toArray(String[]::new))).toString()).contains("exact_match");
    }

    private static double loss(Path run, Path rows) throws IOException {
        List<String> arguments = List.of("eval", "--model", model.toString(), "--adapter", run.toString());
        List<String> all = new ArrayList<>(arguments);
        all.addAll(List.of("--data", rows.toString(), "--dtype", "float32", "--json"));
        return json(Cli.run(all.toArray(String[]::new)))
                .findValue("loss")
                .findValue("value")
                .asDouble();
    }

    private static JsonNode answered(Path run, String colour) throws IOException {
        String image = folder.resolve("images/" + colour + ".png").toString();
        List<String> arguments = List.of("generate", "--model", model.toString(), "--adapter", run.toString());
        List<String> all = new ArrayList<>(arguments);
        all.addAll(List.of("--raw", "--image", image, "--prompt", "<image> w9 w30", "--max-tokens", "2", "--json"));
        return json(Cli.run(all.toArray(String[]::new)));
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void trainJobs_rowsWithImages_eachLearnsWhatItLearnsAlone(int lanes) throws IOException {
        String common = "\"target_modules\": \"all-linear\", \"r\": 4, \"learning_rate\": 2e-2, \"max_steps\": 6,"
                + " \"per_device_train_batch_size\": 6, \"held_out\": 4, \"dtype\": \"float32\", \"threads\": 1";
        List<Double> alone = new ArrayList<>();
        List<String> jobs = new ArrayList<>();
        for (String method : List.of("lora", "llava-mole", "mm-lora")) {
            String own = "\"data\": \"%s\", \"method\": \"%s\"".formatted(folder.resolve("rows.jsonl"), method);
            Path config = folder.resolve("alone-" + lanes + method + ".yaml");
            Files.writeString(config, "{" + common + ", " + own + "}");
            Path out = folder.resolve("alone-" + lanes + method);
            alone.add(json(Cli.run(
                            "train",
                            "--model",
                            model.toString(),
                            "--config",
                            config.toString(),
                            "--out",
                            out.toString(),
                            "--json"))
                    .get("loss_after")
                    .asDouble());
            jobs.add("{\"name\": \"%s\", \"out\": \"%s\", %s}"
                    .formatted(method, folder.resolve("together-" + lanes + method), own));
        }
        Path file = folder.resolve("jobs-" + lanes + ".yaml");
        Files.writeString(
                file,
                "{\"model\": \"%s\", \"lanes\": %d, \"defaults\": {%s}, \"jobs\": [%s]}"
                        .formatted(model, lanes, common, String.join(", ", jobs)));

        JsonNode together = json(Cli.run("train", "--jobs", file.toString(), "--json"));

        for (int i = 0; i < alone.size(); i++) {
            assertThat(together.get(i).get("loss_after").asDouble()).isCloseTo(alone.get(i), within(1e-3));
        }
    }

    /** Methods that treat images in a way of their own; a ladder's tokens are in the prompt too. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '"', textBlock = """
            llava-mole | target_modules=all-linear; r=4                             | 0
            mm-lora    | target_modules=all-linear; r=8                             | 0
            mm-lora    | target_modules=all-linear; r=8; qladder={num_queries: 2}   | 2
            qladder    | num_queries=2                                              | 2
            """)
    void train_methodsForImages_learnResumeAndAnswer(String method, String settings, int added) throws IOException {
        List<String> own = List.of(settings.split("; "));
        Path run = folder.resolve(method + added);
        Path rows = folder.resolve("rows.jsonl");
        JsonNode trained = json(train(own, rows, run, "--method", method));
        assertThat(trained.get("loss_after").asDouble())
                .isLessThan(trained.get("loss_before").asDouble() * 0.75);
        byte[] adapter = Files.readAllBytes(run.resolve("adapter_model.safetensors"));
        AtomicFile.deleteTree(run.resolve("checkpoints/step-" + STEPS));
        json(train(own, rows, run, "--method", method, "--resume"));
        assertThat(run.resolve("adapter_model.safetensors")).hasBinaryContent(adapter);
        assertThat(answered(run, "red").get("prompt_tokens").asInt()).isEqualTo(9 + 2 + added);
        assertThat(loss(run, rows)).isLessThan(trained.get("loss_before").asDouble());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            "image": "images/none.png", | <image> w9 | there is no image
            "image": "rows.jsonl",      | <image> w9 | is no image that can be read
            "image": "images/red.png",  | w9         | it has 1 image, but 0 <image>
            "image": 3,                 | <image> w9 | must be a path
            "image": null,              | <image> w9 | it has 0 images, but 1 <image>
            """)
    void train_badImage_isRefusedWithItsRow(String image, String asked, String message) throws IOException {
        Path rows = folder.resolve("bad.jsonl");
        Files.writeString(rows, Files.readString(folder.resolve("rows.jsonl")) + row(image, asked, "w3") + "\n");
        Cli run = train(rows, folder.resolve("refused"));
        assertThat(run.code()).isNotZero();
        assertThat(run.err()).contains(message).contains("bad.jsonl");
        assertThat(folder.resolve("refused")).doesNotExist();
    }

    @Test
    void train_imagesOnATextModel_isRefused() {
        Cli run = Cli.run(
                "train",
                "--model",
                "lorica-tiny",
                "--data",
                folder.resolve("rows.jsonl").toString(),
                "--out",
                folder.resolve("text").toString());
        assertThat(run.code()).isNotZero();
        assertThat(run.err()).contains("the model sees none");
    }
}
