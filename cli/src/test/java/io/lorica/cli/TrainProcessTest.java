package io.lorica.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code lorica train} as a process of its own: what Ctrl-C leaves, and what memory it took. */
class TrainProcessTest {
    @TempDir
    Path folder;

    @BeforeEach
    void write() throws IOException {
        List<String> lines = new ArrayList<>();
        for (int i = 0; i < 64; i++) {
            lines.add("{\"prompt\": \"Say %d.\", \"completion\": \"The king said %s.\"}"
                    .formatted(i, "so and so ".repeat(1 + i % 20)));
        }
        Files.write(folder.resolve("rows.jsonl"), lines);
    }

    private List<String> arguments(String out, String... more) {
        List<String> arguments = new ArrayList<>(List.of("train", "--model", "lorica-tiny", "--json"));
        arguments.addAll(List.of("--data", folder.resolve("rows.jsonl").toString()));
        arguments.addAll(List.of("--out", folder.resolve(out).toString()));
        arguments.addAll(List.of("--set", "dtype=float32", "--set", "threads=1", "--set", "r=4"));
        arguments.addAll(List.of(more));
        return arguments;
    }

    private Child start(String log, List<String> arguments) throws IOException {
        return Child.start(folder.resolve(log), folder.resolve("home"), arguments);
    }

    @Test
    void interrupt_whileTraining_savesAndResumesToTheSameAdapter() throws Exception {
        String[] settings = {"--set", "max_steps=60", "--set", "lora_dropout=0.1"};
        Child child = start("interrupted.log", arguments("interrupted", settings));
        Path metrics = folder.resolve("interrupted/metrics.jsonl");
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(120);
        while (!(Files.exists(metrics) && Files.readString(metrics).lines().count() > 2)
                && child.process().isAlive()
                && System.nanoTime() < deadline) {
            Thread.sleep(10);
        }
        String pid = Long.toString(child.process().pid());
        new ProcessBuilder("kill", ignoresInterrupts(pid) ? "-TERM" : "-INT", pid)
                .start()
                .waitFor();
        assertThat(child.process().waitFor(120, TimeUnit.SECONDS)).isTrue();
        assertThat(child.text()).contains("checkpoint").contains("--resume");
        assertThat(folder.resolve("interrupted/adapter_model.safetensors")).doesNotExist();

        List<String> resumed = arguments("interrupted", settings);
        resumed.add("--resume");
        assertThat(finish("resumed.log", resumed)).contains("going on after step");
        finish("whole.log", arguments("whole", settings));
        assertThat(folder.resolve("interrupted/adapter_model.safetensors"))
                .hasSameBinaryContentAs(folder.resolve("whole/adapter_model.safetensors"));
    }

    /** Runs to the end in a process like the interrupted one: thread pools of libraries must be of one size. */
    private String finish(String log, List<String> arguments) throws Exception {
        Child child = start(log, arguments);
        assertThat(child.process().waitFor()).as(child.text()).isZero();
        return child.text();
    }

    /** A build started in the background hands its ignored SIGINT on; SIGTERM then takes the same way. */
    private static boolean ignoresInterrupts(String pid) throws IOException {
        Path status = Path.of("/proc", pid, "status");
        return Files.exists(status)
                && Files.readAllLines(status).stream()
                        .filter(line -> line.startsWith("SigIgn:"))
                        .anyMatch(line ->
                                (Long.parseUnsignedLong(line.substring(7).strip(), 16) & 2) != 0);
    }

    @Test
    void dryRun_isWithinATenthOfWhatTheRunThenTakes() throws Exception {
        assumeTrue(Files.exists(Path.of("/proc/self/clear_refs")), "only Linux tells the peak of a process");
        Child dry = start("dry.log", arguments("run", "--dry-run"));
        dry.peak();
        String plan = dry.text().lines().reduce("", (_, last) -> last);
        long foretold = new ObjectMapper().readTree(plan).path("peak").asLong();

        Child real = start("real.log", arguments("run"));
        long measured = real.peak();
        assertThat(real.process().exitValue()).as(real.text()).isZero();
        assertThat((double) foretold).isCloseTo((double) measured, Percentage.withPercentage(10));
    }
}
