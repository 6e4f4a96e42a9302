package io.lorica.server;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.server.access.Keys;
import java.io.IOException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What each key opens: models, administration, accounts, metrics. */
class AccessTest {
    @TempDir
    private static Path folder;

    @SuppressWarnings("NullAway.Init")
    private static TestServer server;

    private static Path adapters() {
        return folder.resolve("adapters");
    }

    private static String entry(String tenant, String more) {
        return "  - {tenant: %s, sha256: %s, %s}\n".formatted(tenant, Keys.hash(tenant + "-key"), more);
    }

    @BeforeAll
    static void start() throws IOException {
        Files.createDirectories(adapters());
        Files.createDirectories(folder.resolve("outside"));
        Path file = Files.writeString(
                folder.resolve("keys.yaml"),
                "keys:\n" + entry("acme", "models: [tone]") + entry("root", "admin: true")
                        + entry("slow", "requests_per_minute: 1"));
        server = new TestServer(adapters(), options -> options.withKeys(Keys.read(file)));
        copy(adapters().resolve("tone"), folder.resolve("outside/tone"));
    }

    @AfterAll
    static void close() {
        server.close();
    }

    private static void copy(Path from, Path to) throws IOException {
        Files.createDirectories(to);
        try (var files = Files.list(from)) {
            for (Path file : files.toList()) {
                Files.copy(file, to.resolve(file.getFileName()));
            }
        }
    }

    private static HttpResponse<String> ask(String model, String key) {
        return server.post("/v1/completions", "{'model': '" + model + "', 'prompt': 'The king', 'max_tokens': 3}", key);
    }

    private static HttpResponse<String> load(String name, String path, String key) {
        return server.post("/v1/load_lora_adapter", "{'lora_name': '" + name + "', 'lora_path': '" + path + "'}", key);
    }

    @Test
    void key_missing_isUnauthorized() {
        HttpResponse<String> response = server.get("/v1/models");
        assertThat(response.statusCode()).isEqualTo(401);
        assertThat(TestServer.json(response).at("/error/code").asText()).isEqualTo("invalid_api_key");
    }

    @Test
    void health_withoutKey_isOpen() {
        assertThat(server.get("/health").statusCode()).isEqualTo(200);
    }

    @Test
    void model_ofOthers_doesNotExist() {
        assertThat(ask("tone", "acme-key").statusCode()).isEqualTo(200);
        for (String model : new String[] {"law", "tone+law", "lorica-tiny"}) {
            HttpResponse<String> response = ask(model, "acme-key");
            assertThat(response.statusCode()).as(model).isEqualTo(404);
            assertThat(response.body()).doesNotContain("did you mean 'law'");
        }
        assertThat(TestServer.json(server.get("/v1/models", "acme-key"))
                        .path("data")
                        .findValuesAsText("id"))
                .containsExactly("tone");
    }

    @Test
    void rate_exceeded_saysWhenToTryAgain() {
        assertThat(ask("tone", "slow-key").statusCode()).isEqualTo(200);
        HttpResponse<String> response = ask("tone", "slow-key");
        assertThat(response.statusCode()).isEqualTo(429);
        assertThat(response.headers().firstValue("Retry-After"))
                .hasValueSatisfying(
                        seconds -> assertThat(Integer.parseInt(seconds)).isBetween(1, 60));
    }

    @Test
    void usage_afterAnAnswer_countsItsTokens() {
        JsonNode before = account();
        JsonNode answer = TestServer.json(ask("tone", "acme-key")).path("usage");
        JsonNode after = account();
        assertThat(after.path("prompt_tokens").asInt()
                        - before.path("prompt_tokens").asInt())
                .isEqualTo(answer.path("prompt_tokens").asInt());
        assertThat(after.path("completion_tokens").asInt()
                        - before.path("completion_tokens").asInt())
                .isEqualTo(answer.path("completion_tokens").asInt());
        assertThat(TestServer.json(server.get("/v1/usage", "root-key")).path("data"))
                .hasSize(3);
    }

    private static JsonNode account() {
        JsonNode data = TestServer.json(server.get("/v1/usage", "acme-key")).path("data");
        assertThat(data).hasSize(1);
        return data.get(0);
    }

    @Test
    void load_byOthers_isForbidden() {
        assertThat(load("new", "tone", "acme-key").statusCode()).isEqualTo(403);
        assertThat(server.get("/metrics", "acme-key").statusCode()).isEqualTo(403);
    }

    @Test
    void load_thenUnload_servesMeanwhile() throws IOException {
        copy(adapters().resolve("law"), adapters().resolve("fresh"));
        assertThat(load("fresh", "fresh", "root-key").body()).contains("Success");
        assertThat(ask("fresh", "root-key").statusCode()).isEqualTo(200);
        assertThat(load("fresh", "fresh", "root-key").statusCode()).isEqualTo(400);
        assertThat(server.post("/v1/unload_lora_adapter", "{'lora_name': 'fresh'}", "root-key")
                        .statusCode())
                .isEqualTo(200);
        assertThat(ask("fresh", "root-key").statusCode()).isEqualTo(404);
    }

    @ParameterizedTest
    @ValueSource(strings = {"../outside/tone", "/etc", "..", ".", "nowhere", "link"})
    void load_fromOutside_isNotFound(String path) throws IOException {
        Path link = adapters().resolve("link");
        if (Files.notExists(link)) {
            Files.createSymbolicLink(link, folder.resolve("outside/tone"));
        }
        assertThat(load("stolen", path, "root-key").statusCode()).isEqualTo(404);
    }

    @Test
    void load_damaged_isRefusedAndNotAnnounced() throws IOException {
        Path damaged = adapters().resolve("damaged");
        copy(adapters().resolve("law"), damaged);
        byte[] bytes = Files.readAllBytes(damaged.resolve("adapter_model.safetensors"));
        for (int i = 0; i < 4; i++) {
            bytes[bytes.length - 1 - i] = (byte) 0xFF; // a float of all ones is no number
        }
        Files.write(damaged.resolve("adapter_model.safetensors"), bytes);
        HttpResponse<String> response = load("damaged", "damaged", "root-key");
        assertThat(response.statusCode()).as(response.body()).isBetween(400, 422);
        assertThat(TestServer.json(response).at("/error/message").asText()).contains("not finite");
        assertThat(ask("damaged", "root-key").statusCode()).isEqualTo(404);
    }

    @Test
    void load_forAnotherBase_isRefusedAndNotAnnounced() throws IOException {
        copy(
                Path.of("..", "adapter", "src", "test", "resources", "peft", "plain"),
                adapters().resolve("foreign"));
        HttpResponse<String> response = load("foreign", "foreign", "root-key");
        assertThat(response.statusCode()).as(response.body()).isBetween(400, 422);
        assertThat(TestServer.json(response).at("/error/message").asText()).isNotEmpty();
        assertThat(ask("foreign", "root-key").statusCode()).isEqualTo(404);
    }

    @Test
    void metrics_afterAnswers_countThemByAdapter() {
        ask("tone", "root-key");
        assertThat(server.get("/metrics", "root-key").body())
                .contains("lorica_adapter_answers_total{adapter=\"tone\"}")
                .contains("lorica_time_to_first_token_seconds_bucket")
                .contains("lorica_queue_length 0.0")
                .contains("lorica_pages{use=\"free\"}")
                .contains("lorica_http_responses_total{path=\"/v1/completions\",status=\"200\"}");
    }

    @Test
    void openapi_everyPath_isThere() {
        JsonNode paths = TestServer.json(server.get("/openapi")).path("paths");
        assertThat(paths).hasSizeGreaterThan(10);
        ((ObjectNode) paths).remove("/v1/embeddings"); // an encoder's
        paths.fieldNames()
                .forEachRemaining(path -> assertThat(
                                server.send(HttpRequest.newBuilder(server.uri(path.replace("{name}", "tone")))
                                                .method("PATCH", HttpRequest.BodyPublishers.noBody())
                                                .build())
                                        .statusCode())
                        .as(path)
                        .isEqualTo(405));
    }
}
