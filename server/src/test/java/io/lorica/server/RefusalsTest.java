package io.lorica.server;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Requests that are none: each gets a clear status in OpenAI's shape, and the server goes on. */
class RefusalsTest {
    private static final String PATH = "/v1/completions";

    @TempDir
    private static Path adapters;

    @SuppressWarnings("NullAway.Init")
    private static TestServer server;

    @BeforeAll
    static void start() {
        server = new TestServer(adapters, UnaryOperator.identity());
    }

    @AfterAll
    static void close() {
        server.close();
    }

    @AfterEach
    void stillServes() {
        assertThat(server.post(PATH, "{'model': 'law', 'prompt': 'The', 'max_tokens': 1}")
                        .statusCode())
                .isEqualTo(200);
    }

    private static void assertRefused(HttpResponse<String> response, int status, String part) {
        assertThat(response.statusCode()).as(response.body()).isEqualTo(status);
        JsonNode error = TestServer.json(response).path("error");
        assertThat(error.path("message").asText()).contains(part);
        assertThat(error.fieldNames()).toIterable().containsExactly("message", "type", "param", "code");
    }

    private static HttpResponse<String> send(HttpRequest.BodyPublisher body, String type) {
        return server.send(HttpRequest.newBuilder(server.uri(PATH))
                .header("Content-Type", type)
                .POST(body)
                .build());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '^',
            value = {
                "{'model': 'law' | JSON",
                "{'model': 'law'} x | JSON",
                "{'model': 'law', 'model': 'tone'} | Duplicate",
                "[1] | object",
                "{'prompt': 'The'} | model",
                "{'model': 'law'} | prompt",
                "{'model': 7, 'prompt': 'The'} | model",
                "{'model': 'law', 'prompt': []} | prompt",
                "{'model': 'law', 'prompt': [[]]} | prompt",
                "{'model': 'law', 'prompt': [1, -2]} | -2",
                "{'model': 'law', 'prompt': [99999999]} | 99999999",
                "{'model': 'law:x', 'prompt': 'The'} | blend",
                "{'model': '../law', 'prompt': 'The'} | no name",
                "{'model': 'law', 'prompt': 'The', 'n': 100} | 64",
            })
    void body_malformed_isBadRequest(String body, String part) {
        assertRefused(server.post(PATH, body), 400, part);
    }

    @Test
    void body_emptyOrNone_isBadRequest() {
        assertRefused(send(BodyPublishers.noBody(), "application/json"), 400, "no body");
    }

    @Test
    void body_wrongUtf8_isBadRequest() {
        byte[] bytes =
                "{\"model\": \"law\", \"prompt\": \"\u00e9\"}".getBytes(java.nio.charset.StandardCharsets.ISO_8859_1);
        assertRefused(send(BodyPublishers.ofByteArray(bytes), "application/json"), 400, "UTF-8");
    }

    @Test
    void body_deepNesting_isBadRequest() {
        assertRefused(
                server.post(PATH, "{'model': 'law', 'prompt': " + "[".repeat(5000) + "]".repeat(5000) + "}"),
                400,
                "JSON");
    }

    @Test
    void body_ofAnotherType_isUnsupportedMediaType() {
        assertRefused(send(BodyPublishers.ofString("model=law"), "text/plain"), 415, "application/json");
    }

    @Test
    void body_tooLarge_isRefusedWithItsLimit() {
        assertRefused(send(BodyPublishers.ofString(" ".repeat(6 << 20)), "application/json"), 413, "4194304");
    }

    @Test
    void model_misspelled_suggestsTheNearest() {
        assertRefused(server.post(PATH, "{'model': 'tome', 'prompt': 'The'}"), 404, "did you mean 'tone'");
        assertRefused(server.post(PATH, "{'model': 'lorica-tny', 'prompt': 'The'}"), 404, "did you mean 'lorica-tiny'");
    }

    @Test
    void queue_full_saysWhenToTryAgain() {
        HttpResponse<String> response =
                server.post(PATH, "{'model': 'law', 'prompt': 'The', 'n': 64, 'max_tokens': 400}");
        assertRefused(response, 429, "waiting");
        assertThat(response.headers().firstValue("Retry-After")).hasValue("1");
    }

    @Test
    void path_unknown_isNotFound() {
        assertRefused(server.get("/v1/nothing"), 404, "/v1/nothing");
    }

    @Test
    void method_wrong_isNotAllowed() {
        HttpResponse<String> response = server.get(PATH);
        assertRefused(response, 405, "POST");
        assertThat(response.headers().firstValue("Allow")).hasValue("POST");
    }

    @Test
    void model_pathTraversal_isNotFoundOrBad() {
        assertThat(server.get("/v1/models/..%2F..%2Fetc%2Fpasswd").statusCode()).isBetween(400, 404);
    }
}
