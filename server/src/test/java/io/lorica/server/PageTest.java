package io.lorica.server;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.lorica.server.access.Keys;
import java.io.IOException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The page's files, and what it asks the server for. */
class PageTest {
    private static final Pattern REFERENCE = Pattern.compile("(?:href|src|from|import)\\s*=?\\s*[\"']([^\"'#]+)[\"']");

    @TempDir
    private static Path folder;

    @SuppressWarnings("NullAway.Init")
    private static TestServer server;

    @BeforeAll
    static void start() throws IOException {
        Path adapters = Files.createDirectories(folder.resolve("adapters"));
        Path keys = Files.writeString(
                folder.resolve("keys.yaml"), """
                keys:
                  - {tenant: acme, sha256: %s, models: [tone]}
                  - {tenant: root, sha256: %s, admin: true}
                """.formatted(Keys.hash("acme-key"), Keys.hash("root-key")));
        server = new TestServer(adapters, options -> options.withKeys(Keys.read(keys)));
    }

    @AfterAll
    static void close() {
        server.close();
    }

    @ParameterizedTest
    @CsvSource({
        "/, text/html; charset=utf-8",
        "/page/page.css, text/css; charset=utf-8",
        "/page/page.js, text/javascript; charset=utf-8",
        "/page/icon.svg, image/svg+xml"
    })
    void file_withoutKey_comesWithItsTypeAndPolicy(String path, String type) {
        HttpResponse<String> response = server.get(path);
        assertThat(response.statusCode()).isEqualTo(200);
        assertThat(response.headers().firstValue("Content-Type")).hasValue(type);
        assertThat(response.headers().firstValue("X-Content-Type-Options")).hasValue("nosniff");
        assertThat(response.headers().firstValue("Content-Security-Policy").orElse(""))
                .startsWith("default-src 'none'; script-src 'self';")
                .doesNotContain("unsafe", "http:", "*");
    }

    @Test
    void file_unchanged_isNotSentAgain() {
        String tag = server.get("/").headers().firstValue("ETag").orElseThrow();
        HttpResponse<String> again = conditional("\"other\", W/" + tag);
        assertThat(again.statusCode()).isEqualTo(304);
        assertThat(again.body()).isEmpty();
        assertThat(conditional("\"other\"").statusCode()).isEqualTo(200);
    }

    private static HttpResponse<String> conditional(String tags) {
        return server.send(HttpRequest.newBuilder(server.uri("/"))
                .header("If-None-Match", tags)
                .build());
    }

    @Test
    void references_ofEveryFile_areServedHere() {
        for (String file : List.of(
                "/", "/page/page.js", "/page/chat.js", "/page/adapters.js", "/page/charts.js", "/page/upload.js")) {
            REFERENCE
                    .matcher(server.get(file).body())
                    .results()
                    .map(found -> found.group(1))
                    .forEach(reference -> assertThat(server.get(
                                            server.uri(file).resolve(reference).getPath())
                                    .statusCode())
                            .as(file + " → " + reference)
                            .isEqualTo(200));
        }
    }

    @Test
    void file_unknown_isNotFound() {
        assertThat(server.get("/page/..%2fopenapi.json").statusCode()).isEqualTo(404);
        assertThat(server.get("/page/nothing.js").statusCode()).isEqualTo(404);
    }

    @Test
    void stats_withoutKey_isUnauthorized() {
        assertThat(server.get("/v1/lorica/stats").statusCode()).isEqualTo(401);
        assertThat(server.get("/v1/lorica/adapters").statusCode()).isEqualTo(401);
    }

    @Test
    void stats_afterAnAnswer_countItsTokens() {
        JsonNode before = stats();
        JsonNode usage = TestServer.json(ask("tone")).path("usage");
        JsonNode after = stats();
        assertThat(after.at("/engine/generated_tokens").asInt()
                        - before.at("/engine/generated_tokens").asInt())
                .isEqualTo(usage.path("completion_tokens").asInt());
        assertThat(after.path("seconds").asDouble())
                .isGreaterThan(before.path("seconds").asDouble());
    }

    @Test
    void stats_pages_addUpToAll() {
        ask("tone");
        JsonNode pages = stats().at("/engine/pages");
        int sum = List.of("free", "cache", "prefixes", "adapters", "merged").stream()
                .mapToInt(use -> pages.path(use).asInt())
                .sum();
        assertThat(sum).isPositive().isEqualTo(pages.path("total").asInt());
    }

    @Test
    void adapters_forAKey_areThoseItMayUse() {
        JsonNode acme = adapters("acme-key");
        assertThat(acme.path("data").findValuesAsText("name")).containsExactly("tone");
        assertThat(acme.path("base").isNull()).isTrue();
        assertThat(acme.path("may_change").asBoolean()).isFalse();
        JsonNode root = adapters("root-key");
        assertThat(root.path("data").findValuesAsText("name")).containsExactly("law", "tone");
        assertThat(root.path("base").asText()).isEqualTo("lorica-tiny");
        assertThat(root.path("may_change").asBoolean()).isTrue();
    }

    @Test
    void adapter_whenAskedFor_isLoaded() {
        JsonNode law = adapters("root-key").path("data").get(0);
        assertThat(law.path("method").asText()).isEqualTo("lora");
        assertThat(law.path("rank").asInt()).isEqualTo(4);
        assertThat(law.path("state").asText()).isEqualTo("disk");
        ask("law");
        JsonNode loaded = adapters("root-key").path("data").get(0);
        assertThat(loaded.path("state").asText()).isIn("loaded", "used"); // the lease ends after the answer
        assertThat(loaded.path("bytes").asInt()).isPositive();
    }

    private static HttpResponse<String> ask(String model) {
        return server.post(
                "/v1/completions", "{'model': '" + model + "', 'prompt': 'The king', 'max_tokens': 3}", "root-key");
    }

    private static JsonNode stats() {
        return TestServer.json(server.get("/v1/lorica/stats", "acme-key"));
    }

    private static JsonNode adapters(String key) {
        return TestServer.json(server.get("/v1/lorica/adapters", key));
    }
}
