package io.lorica.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Norms of lorica-tiny, and a study of a few lengths. */
class AnalyzeCommandTest {
    @TempDir
    @SuppressWarnings("NullAway.Init")
    static Path folder;

    private static String rows = "";

    @BeforeAll
    static void writeRows() throws IOException {
        System.setProperty("lorica.home", folder.resolve("home").toString());
        rows = Files.write(
                        folder.resolve("rows.jsonl"),
                        List.of(
                                "{\"text\": \"The king went to the river and saw a boat.\"}",
                                "{\"text\": \"She said that nobody would ever come back to the old house.\"}"))
                .toString();
    }

    @AfterAll
    static void forgetHome() {
        System.clearProperty("lorica.home");
    }

    private static Cli norms(String... more) {
        List<String> arguments = new ArrayList<>(
                List.of("analyze", "norms", "--model", "lorica-tiny", "--threads", "1", "--data", rows));
        arguments.addAll(List.of(more));
        return Cli.run(arguments.toArray(String[]::new));
    }

    @ParameterizedTest
    @ValueSource(strings = {"mola", "mixlora"})
    void experts_trainedRoutedAdapter_writesDistancesAndPictures(String method) throws IOException {
        String run = folder.resolve(method).toString();
        Cli trained = Cli.run(
                "train",
                "--model",
                "lorica-tiny",
                "--data",
                rows,
                "--method",
                method,
                "--out",
                run,
                "--set",
                "target_modules=[q_proj,down_proj]",
                "--set",
                "max_steps=2",
                "--set",
                "held_out=0",
                "--set",
                "threads=1");
        assertThat(trained.code()).as(trained.err()).isZero();
        assertThat(Path.of(run, "routing.png")).isNotEmptyFile();
        assertThat(Path.of(run, "routing.json")).content().contains("evenness", "model.layers.0");
        assertThat(Path.of(run, "run.json")).content().contains("evenness of routing");
        Path out = folder.resolve(method + "-experts");
        Cli told = Cli.run("analyze", "experts", run, "--model", "lorica-tiny", "--out", out.toString(), "--json");
        assertThat(told.code()).as(told.err()).isZero();
        JsonNode first = new ObjectMapper().readTree(told.out()).at("/sites/0");
        assertThat(first.get("experts").asInt()).isEqualTo(method.equals("mola") ? 2 : 8);
        assertThat(first.get("relative").asDouble()).isBetween(0.0, 2.0);
        assertThat(out.resolve("experts.png")).isNotEmptyFile();
        assertThat(out.resolve("experts.md")).content().contains("| layer |", "down_proj");
    }

    @Test
    void experts_methodThatRoutesNothing_isRefused() throws IOException {
        String run = folder.resolve("plain").toString();
        Cli trained = Cli.run(
                "train",
                "--model",
                "lorica-tiny",
                "--data",
                rows,
                "--out",
                run,
                "--set",
                "max_steps=1",
                "--set",
                "held_out=0",
                "--set",
                "threads=1");
        assertThat(trained.code()).as(trained.err()).isZero();
        Cli refused = Cli.run("analyze", "experts", run, "--model", "lorica-tiny");
        assertThat(refused.code()).isNotZero();
        assertThat(refused.err()).contains("no site of it has two experts");
    }

    private static Cli gradient(String... more) {
        return Cli.run(Stream.concat(
                        Stream.of(
                                "analyze",
                                "gradient",
                                "--width",
                                "2",
                                "--error-length",
                                "32",
                                "--lengths",
                                "32,64",
                                "--max-rank",
                                "100"),
                        Stream.of(more))
                .toArray(String[]::new));
    }

    private static JsonNode json(Cli run) throws IOException {
        assertThat(run.code()).as(run.err()).isZero();
        return new ObjectMapper().readTree(run.out());
    }

    @Test
    void norms_adapter_showsWhatItAddedToEveryHead() throws IOException {
        String run = folder.resolve("run").toString();
        Cli trained = Cli.run(
                "train",
                "--model",
                "lorica-tiny",
                "--data",
                rows,
                "--out",
                run,
                "--set",
                "r=2",
                "--set",
                "max_steps=2",
                "--set",
                "learning_rate=1e-2",
                "--set",
                "dtype=float32",
                "--set",
                "threads=1");
        assertThat(trained.code()).as(trained.err()).isZero();
        JsonNode row = json(norms("--adapter", run, "--json")).at("/rows/0");
        assertThat(row.get("gV").asDouble()).isNotEqualTo(row.get("base_gV").asDouble());
        assertThat(row.get("verdict").asText()).isIn("BELOW", "ABOVE");
        assertThat(row.get("recommend").asText()).isEqualTo("EXACT");
    }

    @Test
    void norms_out_leavesTableJsonAndPicture() {
        Path out = folder.resolve("norms");
        Cli run = norms("--out", out.toString());
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.out()).contains("verdict").contains("Asymptotic statements read at one length");
        assertThat(out)
                .isDirectoryContaining(file -> file.endsWith("norms.md"))
                .isDirectoryContaining(file -> file.endsWith("norms.json"))
                .isDirectoryContaining(file -> file.endsWith("norms.png"));
    }

    @Test
    void norms_missingData_isWrongUse() {
        Cli run = Cli.run("analyze", "norms", "--model", "lorica-tiny", "--data", "nowhere.jsonl");
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("nowhere.jsonl");
    }

    @Test
    void gradient_json_hasErrorsRanksAndTimes() throws IOException {
        JsonNode json = json(gradient("--adapt", "q,k,v", "--json"));
        assertThat(json.at("/errors/0/relative").has("dB_K")).isTrue();
        assertThat(json.at("/ranks")).hasSize(10);
        assertThat(json.at("/times").findValuesAsText("L")).containsExactly("32", "64");
    }

    @Test
    void gradient_aboveTheExactLimit_errorIsThatOfSampledQueries() throws IOException {
        JsonNode times = json(gradient("--exact-limit", "40", "--json")).at("/times");
        assertThat(times.at("/0").has("exact_seconds")).isTrue();
        assertThat(times.at("/1").has("exact_seconds")).isFalse();
        assertThat(times.at("/1/error").asDouble()).isBetween(1e-12, 1e-2);
    }

    @Test
    void gradient_out_leavesTablesAndPictures() {
        Path out = folder.resolve("gradient");
        assertThat(gradient("--out", out.toString()).code()).isZero();
        assertThat(out)
                .isDirectoryContaining(file -> file.endsWith("gradient.md"))
                .isDirectoryContaining(file -> file.endsWith("gradient-error.png"))
                .isDirectoryContaining(file -> file.endsWith("gradient-time.png"));
    }

    @Test
    void gradient_misspeltPolynomial_nearestIsNamed() {
        Cli run = gradient("--poly", "chebishev");
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("did you mean 'chebyshev'");
    }
}
