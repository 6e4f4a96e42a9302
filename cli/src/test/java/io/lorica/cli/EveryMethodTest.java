package io.lorica.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.lorica.adapter.Method;
import io.lorica.adapter.MethodInfo;
import io.lorica.adapter.Methods;
import io.lorica.tensor.AtomicFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What a user does with a method, for each there is: train lorica-tiny, be stopped and resume, use what came out, merge. */
class EveryMethodTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int STEPS = 8;

    /** Rates at which these few steps show: far from the usual one where what is trained is few numbers, or whole weights. */
    private static final Map<String, String> LEARNING_RATES = Map.of(
            "vera", "5e-2", "lora-xs", "2e-2", "lora-sb", "2e-2", "loldu", "2e-3", "lisa", "1e-4", "randlora", "1e-2");

    @TempDir
    @SuppressWarnings("NullAway.Init")
    static Path folder;

    @BeforeAll
    static void writeRows() throws IOException {
        System.setProperty("lorica.home", folder.resolve("home").toString());
        List<String> lines = new ArrayList<>();
        for (int i = 0; i < 48; i++) {
            lines.add("{\"prompt\": \"Say %d.\", \"completion\": \"The king said %d.\"}".formatted(i, i));
        }
        Files.write(folder.resolve("rows.jsonl"), lines);
    }

    @AfterAll
    static void forgetHome() {
        System.clearProperty("lorica.home");
    }

    static Stream<String> methods() {
        return Methods.all().stream()
                .map(Method::info)
                .map(MethodInfo::name)
                .filter(method -> !method.equals("qladder")); // needs a model that reads images
    }

    @ParameterizedTest
    @MethodSource("methods")
    void train_stoppedResumedAndMerged_learnsAndStaysTheSame(String method) throws IOException {
        Path run = folder.resolve(method);
        JsonNode trained = json(train(method, run));
        assertThat(trained.get("loss_after").asDouble())
                .isLessThan(trained.get("loss_before").asDouble());
        byte[] adapter = Files.readAllBytes(run.resolve("adapter_model.safetensors"));

        AtomicFile.deleteTree(run.resolve("checkpoints/step-" + STEPS));
        Files.delete(run.resolve("adapter_model.safetensors"));
        JsonNode resumed = json(train(method, run, "--resume"));
        assertThat(resumed.get("loss_after")).isEqualTo(trained.get("loss_after"));
        assertThat(run.resolve("adapter_model.safetensors")).hasBinaryContent(adapter);

        float[] loaded = logits("lorica-tiny", "--adapter", run.toString());
        if (Methods.named(method).info().mergeable()) {
            Path merged = folder.resolve(method + "-merged");
            json(Cli.run(
                    "adapter",
                    "merge",
                    run.toString(),
                    "--model",
                    "lorica-tiny",
                    "--out",
                    merged.toString(),
                    "--json"));
            assertThat(logits(merged.toString())).containsExactly(loaded, within(1e-4f));
            AtomicFile.deleteTree(merged);
        }
    }

    private static Cli train(String method, Path out, String... more) {
        List<String> arguments = new ArrayList<>(List.of("train", "--model", "lorica-tiny", "--json"));
        arguments.addAll(List.of("--method", method, "--out", out.toString()));
        arguments.addAll(List.of("--data", folder.resolve("rows.jsonl").toString()));
        if (!method.equals("lisa")) { // chooses by itself
            arguments.addAll(List.of("--set", "target_modules=all-linear"));
        }
        if (method.equals("mm-lora")) { // its default is for models of billions
            arguments.addAll(List.of("--set", "r=16"));
        }
        for (String setting : List.of(
                "learning_rate=" + LEARNING_RATES.getOrDefault(method, "5e-3"),
                "max_steps=" + STEPS,
                "save_steps=" + STEPS / 2,
                "per_device_train_batch_size=4",
                "held_out=8",
                "dtype=float32",
                "threads=1")) {
            arguments.addAll(List.of("--set", setting));
        }
        arguments.addAll(List.of(more));
        return Cli.run(arguments.toArray(String[]::new));
    }

    private static float[] logits(String model, String... more) throws IOException {
        List<String> arguments = new ArrayList<>(List.of("logits", "--model", model, "--text", "Say 7. The king"));
        arguments.addAll(List.of("--dtype", "float32", "--threads", "1"));
        arguments.addAll(List.of(more));
        return JSON.treeToValue(json(Cli.run(arguments.toArray(String[]::new))).get("logits"), float[].class);
    }

    private static JsonNode json(Cli run) throws IOException {
        assertThat(run.code()).as(run.err()).isZero();
        return JSON.readTree(run.out());
    }
}
