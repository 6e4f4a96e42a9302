package io.lorica.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.lorica.server.access.Keys;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code lorica serve} as a process of its own. */
class ServeCommandTest {
    private static final Pattern ADDRESS = Pattern.compile("at (http://\\S+)");

    @TempDir
    Path folder;

    private static URI address(Child child) throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        while (child.process().isAlive() && System.nanoTime() < deadline) {
            Matcher matcher = ADDRESS.matcher(child.text());
            if (matcher.find()) {
                return URI.create(matcher.group(1));
            }
            Thread.sleep(10);
        }
        throw new AssertionError("no address: " + child.text());
    }

    @Test
    void terminate_whileIdle_endsInOrder() throws Exception {
        Child child = Child.start(
                folder.resolve("serve.log"),
                folder.resolve("home"),
                List.of("serve", "--model", "lorica-tiny", "--port", "0"));
        try (HttpClient client = HttpClient.newHttpClient()) {
            HttpRequest request = HttpRequest.newBuilder(address(child).resolve("/v1/completions"))
                    .POST(HttpRequest.BodyPublishers.ofString("{\"model\": \"lorica-tiny\", \"prompt\": \"The\"}"))
                    .build();
            assertThat(client.send(request, HttpResponse.BodyHandlers.ofString())
                            .statusCode())
                    .isEqualTo(200);
            child.process().destroy();
            assertThat(child.process().waitFor(30, TimeUnit.SECONDS)).isTrue();
            assertThat(child.text()).contains("finishing running requests").doesNotContain("Exception");
        } finally {
            child.process().destroyForcibly();
        }
    }

    @Test
    void tensorParallel_rankKilled_endsAndSaysWhy() throws Exception {
        Child child = Child.start(
                folder.resolve("serve.log"),
                folder.resolve("home"),
                List.of("serve", "--model", "lorica-tiny", "--port", "0", "--tensor-parallel-size", "2"));
        try (HttpClient client = HttpClient.newHttpClient()) {
            HttpRequest request = HttpRequest.newBuilder(address(child).resolve("/v1/completions"))
                    .POST(HttpRequest.BodyPublishers.ofString("{\"model\": \"lorica-tiny\", \"prompt\": \"The\"}"))
                    .build();
            assertThat(client.send(request, HttpResponse.BodyHandlers.ofString())
                            .statusCode())
                    .isEqualTo(200);
            child.process().children().forEach(ProcessHandle::destroyForcibly);
            assertThat(child.process().waitFor(30, TimeUnit.SECONDS)).isTrue();
            assertThat(child.process().exitValue()).isEqualTo(1);
            assertThat(child.text())
                    .contains("rank 1 of tensor parallelism has ended")
                    .doesNotContain("Exception");
        } finally {
            child.process().destroyForcibly();
        }
    }

    @Test
    void adapters_missingDirectory_isWrongUse() {
        Cli run = Cli.run(
                "serve",
                "--model",
                "lorica-tiny",
                "--adapters",
                folder.resolve("none").toString());
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("none", "one folder per adapter");
    }

    @Test
    void key_drawn_isWhatTheFileOfKeysTakes() throws Exception {
        Cli run = Cli.run("key", "--tenant", "acme");
        Path file = Files.writeString(folder.resolve("keys.yaml"), "keys:\n" + run.err());
        assertThat(Keys.read(file)
                        .caller(Optional.of("Bearer " + run.out().strip()))
                        .name())
                .isEqualTo("acme");
    }
}
