package io.lorica.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CompareCommandTest {
    @TempDir
    Path folder;

    @BeforeEach
    void write() throws IOException {
        System.setProperty("lorica.home", folder.resolve("home").toString());
        List<String> lines = new ArrayList<>();
        for (int i = 0; i < 24; i++) {
            lines.add("{\"prompt\": \"Say %d.\", \"completion\": \"The king said %d.\"}".formatted(i, i));
        }
        Files.write(folder.resolve("rows.jsonl"), lines);
    }

    @AfterEach
    void forgetHome() {
        System.clearProperty("lorica.home");
    }

    private Cli compare(String methods, String... more) {
        List<String> arguments = new ArrayList<>(List.of("compare", "--methods", methods, "--model", "lorica-tiny"));
        arguments.addAll(List.of("--data", folder.resolve("rows.jsonl").toString()));
        arguments.addAll(List.of("--out", folder.resolve("out").toString()));
        arguments.addAll(
                List.of("--set", "dtype=float32", "--set", "threads=1", "--set", "max_steps=2", "--set", "r=2"));
        arguments.addAll(List.of(more));
        return Cli.run(arguments.toArray(String[]::new));
    }

    @Test
    void compare_twoMethods_writesTableJsonAndPictureAndContinues() throws IOException {
        Cli first = compare(
                "lora,dora",
                "--seeds",
                "0,1",
                "--set",
                "dora.r=1",
                "--set",
                "vera.r=4",
                "--set",
                "lora.r=null",
                "--json");
        assertThat(first.code()).as(first.err()).isZero();
        JsonNode methods = new ObjectMapper().readTree(first.out()).get("methods");
        assertThat(methods.findValuesAsText("method")).contains("lora", "dora");
        for (JsonNode method : methods) {
            assertThat(method.get("held_out_loss").get("low").asDouble())
                    .isLessThan(method.get("held_out_loss").get("high").asDouble());
            assertThat(method.get("runs").findValues("adapter_bytes"))
                    .hasSize(2)
                    .allMatch(bytes -> bytes.asLong() > 0);
        }
        assertThat(folder.resolve("out/comparison.png")).isNotEmptyFile();
        assertThat(folder.resolve("out/comparison.md"))
                .content()
                .contains("| lora")
                .contains("Student");
        assertThat(folder.resolve("out/dora-seed0/adapter_config.json"))
                .content()
                .containsPattern("\"r\" *: *1");

        assertThat(folder.resolve("out/lora-seed0/adapter_config.json"))
                .content()
                .containsPattern("\"r\" *: *8");

        Files.delete(folder.resolve("out/dora-seed1/cell.json"));
        Cli second = compare("lora,dora", "--seeds", "0,1", "--set", "dora.r=1", "--set", "lora.r=null");
        assertThat(second.code()).as(second.err()).isZero();
        assertThat(second.err()).contains("dora seed 1").doesNotContain("lora seed 0");

        Cli other = compare("lora,dora", "--seeds", "0,1", "--set", "dora.r=2", "--set", "lora.r=null");
        assertThat(other.code()).isEqualTo(1);
        assertThat(other.err()).contains("dora-seed0").contains("another --out");
    }

    @Test
    void compare_misspeltMethod_nearestIsNamedBeforeAnythingIsTrained() {
        Cli wrong = compare("lora,droa");
        assertThat(wrong.code()).isEqualTo(2);
        assertThat(wrong.err()).contains("'droa'").contains("did you mean 'dora'?");
        assertThat(folder.resolve("out")).doesNotExist();
    }

    @Test
    void compare_sameSeedTwice_isRefused() {
        assertThat(compare("lora", "--seeds", "1,1").err()).contains("--seeds").contains("twice");
    }
}
