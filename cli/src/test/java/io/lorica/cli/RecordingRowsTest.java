package io.lorica.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.lorica.model.audio.Sound;
import io.lorica.model.image.Film;
import io.lorica.tensor.AtomicFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A model that hears and sees, trained, resumed, measured and asked about rows with recordings, as a person does it. */
class RecordingRowsTest {
    private static final Path FIXTURE = Path.of("..", "model", "src", "test", "resources", "fixtures", "mtsk");
    private static final int STEPS = 40;
    private static final int ROWS = 8;
    private static final List<String> SCALES = List.of("a4_v2", "a16_v2", "a4_v5", "a16_v5");

    @TempDir
    @SuppressWarnings("NullAway.Init")
    static Path folder;

    private static Path model = FIXTURE;
    private static Path rows = FIXTURE;

    /** A low tone under a dark film is answered otherwise than a high tone under a bright one. */
    @BeforeAll
    static void writeModelAndRows() throws IOException {
        model = Files.createDirectories(folder.resolve("model"));
        for (String file : List.of("config.json", "model.safetensors")) {
            Files.copy(FIXTURE.resolve(file), model.resolve(file));
        }
        String words = IntStream.range(0, 40)
                .mapToObj(i -> "\"w%d\": %d".formatted(i, i))
                .collect(Collectors.joining(", "));
        Files.writeString(
                model.resolve("tokenizer.json"),
                "{\"version\": \"1.0\", \"added_tokens\": [], \"pre_tokenizer\": {\"type\": \"WhitespaceSplit\"},"
                        + " \"model\": {\"type\": \"WordLevel\", \"unk_token\": \"w0\", \"vocab\": {" + words + "}}}");
        Files.writeString(model.resolve("tokenizer_config.json"), "{\"eos_token\": \"w2\"}");
        record(0, 300, 0.2f);
        record(1, 1500, 0.9f);
        rows = folder.resolve("rows.jsonl");
        Files.write(rows, IntStream.range(0, ROWS).mapToObj(i -> row(i % 2)).toList());
    }

    private static void record(int kind, double hertz, float grey) {
        float[] samples = new float[9600];
        for (int i = 0; i < samples.length; i++) {
            samples[i] = (float) (0.5 * Math.sin(2 * Math.PI * hertz * i / 16000));
        }
        new Sound(samples, 16000).write(folder.resolve("recordings/" + kind + ".wav"));
        float[] pixels = new float[15 * 8 * 8];
        Arrays.fill(pixels, grey);
        new Film(pixels, 8).write(folder.resolve("recordings/" + kind + ".tiff"));
    }

    private static String row(int kind) {
        return "{\"audio\": \"recordings/%d.wav\", \"video\": \"recordings/%d.tiff\", \"prompt\": \"w1 w9\","
                        .formatted(kind, kind)
                + " \"completion\": \" %s\"}".formatted(kind == 0 ? "w3 w4" : "w5 w6");
    }

    private static List<String> training(Path data, Path out, String... more) {
        List<String> arguments = new ArrayList<>(List.of("train", "--model", model.toString(), "--json"));
        arguments.addAll(List.of("--out", out.toString(), "--data", data.toString()));
        for (String setting : List.of(
                "target_modules=llm\\..*\\.(q|v)_proj",
                "modules_to_save=[audio_proj, video_proj]",
                "learning_rate=2e-2",
                "max_steps=" + STEPS,
                "save_steps=" + STEPS / 2,
                "per_device_train_batch_size=" + ROWS,
                "held_out=0",
                "dtype=float32",
                "threads=1")) {
            arguments.addAll(List.of("--set", setting));
        }
        arguments.addAll(List.of(more));
        return arguments;
    }

    private static final String[] MTSK = {
        "--method", "mtsk", "--set", "lora_strategy=mss", "--set", "rank=4", "--set", "alpha=4"
    };

    private static Cli run(List<String> arguments) {
        return Cli.run(arguments.toArray(String[]::new));
    }

    private static JsonNode json(Cli run) throws IOException {
        assertThat(run.code()).as(run.err()).isZero();
        return new ObjectMapper().readTree(run.out());
    }

    private static JsonNode eval(String task, String... more) throws IOException {
        List<String> arguments =
                new ArrayList<>(List.of("eval", "--model", model.toString(), "--task", task, "--json"));
        arguments.addAll(List.of("--data", rows.toString(), "--dtype", "float32"));
        arguments.addAll(List.of(more));
        return json(run(arguments)).get("values");
    }

    @Test
    void train_rowsWithRecordings_learnsEveryScaleAndResumesEqually() throws IOException {
        Path out = folder.resolve("mtsk");
        json(run(training(rows, out, MTSK)));
        JsonNode first = new ObjectMapper()
                .readTree(Files.readAllLines(out.resolve("metrics.jsonl")).getFirst());
        JsonNode base = eval("perplexity");
        double mean = SCALES.stream()
                .mapToDouble(scale -> base.get("loss_" + scale).get("value").asDouble())
                .average()
                .orElseThrow();
        assertThat(first.get("train_loss").asDouble()).isCloseTo(mean, within(1e-5));

        byte[] adapter = Files.readAllBytes(out.resolve("adapter_model.safetensors"));
        AtomicFile.deleteTree(out.resolve("checkpoints/step-" + STEPS));
        json(run(training(rows, out, with(MTSK, "--resume"))));
        assertThat(out.resolve("adapter_model.safetensors")).hasBinaryContent(adapter);

        JsonNode errors = eval("word-error-rate", "--adapter", out.toString(), "--max-tokens", "3");
        for (String scale : SCALES) {
            assertThat(errors.get("word_error_rate_" + scale).get("value").asDouble())
                    .as(scale)
                    .isLessThanOrEqualTo(0.5);
        }
        assertThat(answer(out, 0).get("text").asText()).isEqualTo("w3 w4");
        assertThat(answer(out, 1).get("text").asText()).isEqualTo("w5 w6");

        Path one = folder.resolve("one");
        List<String> rates = List.of("--audio-rate", "16", "--video-rate", "5");
        List<String> truncate = new ArrayList<>(List.of("adapter", "truncate", out.toString()));
        truncate.addAll(List.of("--model", model.toString(), "--out", one.toString()));
        truncate.addAll(rates);
        assertThat(run(truncate).code()).isZero();
        double whole = loss(out, rates);
        assertThat(loss(one, rates)).isCloseTo(whole, within(1e-5));
    }

    private static String[] with(String[] some, String... more) {
        return IntStream.range(0, some.length + more.length)
                .mapToObj(i -> i < some.length ? some[i] : more[i - some.length])
                .toArray(String[]::new);
    }

    private static double loss(Path adapter, List<String> rates) throws IOException {
        String[] options = with(rates.toArray(String[]::new), "--adapter", adapter.toString());
        return eval("perplexity", options).get("loss").get("value").asDouble();
    }

    private static JsonNode answer(Path adapter, int kind) throws IOException {
        List<String> arguments = new ArrayList<>(List.of("generate", "--model", model.toString(), "--json", "--raw"));
        arguments.addAll(List.of("--adapter", adapter.toString(), "--dtype", "float32", "--max-tokens", "2"));
        arguments.addAll(
                List.of("--audio", folder.resolve("recordings/" + kind + ".wav").toString()));
        arguments.addAll(List.of(
                "--video", folder.resolve("recordings/" + kind + ".tiff").toString()));
        arguments.addAll(List.of("--prompt", "w1 w9", "--temperature", "0"));
        JsonNode answer = json(run(arguments));
        assertThat(answer.get("prompt_tokens").asInt()).isEqualTo(2 + (2 + 30 / 4) + (2 + 15 / 2));
        return answer;
    }

    @Test
    void train_plainLora_learnsAtTheModelsOwnScales() throws IOException {
        JsonNode trained = json(run(training(rows, folder.resolve("lora"), "--set", "r=4", "--set", "held_out=2")));
        assertThat(trained.get("loss_after").asDouble())
                .isLessThan(0.7 * trained.get("loss_before").asDouble());
    }

    /** Rows of text alone lie in the same passes, and a question may be text alone too. */
    @Test
    void train_someRowsWithoutRecordings_learnsFromThemToo() throws IOException {
        Path mixed = folder.resolve("mixed.jsonl");
        Files.writeString(
                mixed, (row(0) + "\n{\"prompt\": \"w1 w9\", \"completion\": \" w7 w8\"}\n" + row(1) + "\n").repeat(3));
        Path out = folder.resolve("mixed");
        json(run(training(mixed, out, MTSK)));
        Cli answer = Cli.run(
                "generate",
                "--model",
                model.toString(),
                "--adapter",
                out.toString(),
                "--raw",
                "--prompt",
                "w1 w9",
                "--dtype",
                "float32",
                "--temperature",
                "0",
                "--max-tokens",
                "2",
                "--json");
        assertThat(json(answer).get("text").asText()).isEqualTo("w7 w8");
        assertThat(answer(out, 1).get("text").asText()).isEqualTo("w5 w6");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"video\": \"recordings/0.tiff\"                                    | 0 files of audio",
                "\"audio\": \"recordings/0.wav\", \"video\": \"recordings/9.tiff\"   | there is no film",
                "\"audio\": \"rows.jsonl\", \"video\": \"recordings/0.tiff\"         | is no sound",
                "\"audio\": \"recordings/0.wav\", \"video\": \"recordings/0.wav\"    | is no film",
                "\"audio\": \"recordings/0.wav\", \"video\": 3                       | column 'video' must be a path",
            })
    void train_brokenRecordings_areRefusedByRow(String columns, String part) throws IOException {
        Path broken = folder.resolve("broken.jsonl");
        Files.writeString(broken, row(0) + "\n{" + columns + ", \"prompt\": \"w1\", \"completion\": \" w3\"}\n");
        Cli run = run(training(broken, folder.resolve("broken"), MTSK));
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("broken.jsonl").contains("line 2").contains(part);
    }

    @Test
    void train_adapterOnAnEncoder_isRefused() {
        Cli run = run(training(rows, folder.resolve("encoder"), "--set", "r=4", "--set", "target_modules=all-linear"));
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("audio_encoder").contains("stay frozen");
    }

    @Test
    void train_ratesThatTheModelLacks_areRefused() {
        Cli run = run(training(rows, folder.resolve("rates"), with(MTSK, "--set", "audio_rates=[3]")));
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("no projectors for the rates audio 3");
    }

    @Test
    void commands_ofModelsOfText_refuseRecordingsAndRates() {
        String sound = folder.resolve("recordings/0.wav").toString();
        Cli generate = Cli.run("generate", "--model", "lorica-tiny", "--prompt", "hello", "--audio", sound);
        assertThat(generate.code()).as(generate.err()).isEqualTo(2);
        assertThat(generate.err()).contains("the prompt: it has a recording, but the model hears and sees none");
        Cli rates = Cli.run("generate", "--model", "lorica-tiny", "--prompt", "hello", "--audio-rate", "4");
        assertThat(rates.code()).as(rates.err()).isEqualTo(1);
        assertThat(rates.err()).contains("lorica-tiny reads no recordings");
    }

    @Test
    void train_jobsWithRecordings_areRefused() throws IOException {
        Path jobs = folder.resolve("jobs.yaml");
        Files.writeString(
                jobs,
                "{\"model\": \"%s\", \"jobs\": [{\"name\": \"a\", \"data\": \"%s\", \"out\": \"%s\", \"method\": \"mtsk\"}]}"
                        .formatted(model, rows, folder.resolve("job")));
        Cli run = Cli.run("train", "--jobs", jobs.toString());
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("one by one");
    }
}
