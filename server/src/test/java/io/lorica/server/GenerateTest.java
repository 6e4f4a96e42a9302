package io.lorica.server;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.lorica.model.ModelStore;
import io.lorica.model.Pretrained;
import io.lorica.model.Sampling;
import io.lorica.model.TextGenerator;
import io.lorica.tensor.DType;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The two generating APIs, whole and streamed. */
class GenerateTest {
    private static final String TEXT = "{'model': 'lorica-tiny', 'prompt': 'Once upon a time', 'temperature': 0}";

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

    private static String with(String body, String more) {
        return body.replaceFirst("}$", ", " + more + "}");
    }

    @Test
    void completions_greedy_answersWhatTheModelDoesAlone() {
        JsonNode answer = TestServer.json(server.post("/v1/completions", TEXT));
        try (Pretrained base = ModelStore.standard().open("lorica-tiny", DType.F32)) {
            String expected = TextGenerator.generate(
                            base.causal(),
                            base.tokenizer(),
                            base.tokenizer().encode("Once upon a time", true),
                            Sampling.greedy(16),
                            _ -> {})
                    .text();
            assertThat(answer.at("/choices/0/text").asText()).isEqualTo(expected);
        }
    }

    @Test
    void completions_whole_hasOpenAisShape() {
        JsonNode answer = TestServer.json(server.post("/v1/completions", TEXT));
        assertThat(answer.path("object").asText()).isEqualTo("text_completion");
        assertThat(answer.path("model").asText()).isEqualTo("lorica-tiny");
        assertThat(answer.at("/choices/0/finish_reason").asText()).isEqualTo("length");
        assertThat(answer.at("/usage/completion_tokens").asInt()).isEqualTo(16);
        assertThat(answer.at("/usage/total_tokens").asInt())
                .isEqualTo(16 + answer.at("/usage/prompt_tokens").asInt());
    }

    @Test
    void completions_streamed_joinToTheWholeAnswer() {
        String whole = TestServer.json(server.post("/v1/completions", TEXT))
                .at("/choices/0/text")
                .asText();
        List<JsonNode> events = TestServer.events(server.post("/v1/completions", with(TEXT, "'stream': true")));
        StringBuilder text = new StringBuilder();
        events.forEach(event -> text.append(event.at("/choices/0/text").asText()));
        assertThat(text.toString()).isEqualTo(whole);
        assertThat(events.getLast().at("/choices/0/finish_reason").asText()).isEqualTo("length");
    }

    @Test
    void chat_streamed_joinsToTheWholeAnswer() {
        String body = "{'model': 'tone', 'messages': [{'role': 'user', 'content': 'Hello'}], 'seed': 3,"
                + " 'max_completion_tokens': 12}";
        JsonNode whole = TestServer.json(server.post("/v1/chat/completions", body));
        assertThat(whole.path("object").asText()).isEqualTo("chat.completion");
        HttpResponse<String> response = server.post(
                "/v1/chat/completions", with(body, "'stream': true, 'stream_options': {'include_usage': true}"));
        assertThat(response.headers().firstValue("Content-Type"))
                .hasValueSatisfying(type -> assertThat(type).startsWith("text/event-stream"));
        List<JsonNode> events = TestServer.events(response);
        StringBuilder text = new StringBuilder();
        events.forEach(event -> text.append(event.at("/choices/0/delta/content").asText()));
        assertThat(text.toString())
                .isEqualTo(whole.at("/choices/0/message/content").asText());
        assertThat(events.getFirst().at("/choices/0/delta/role").asText()).isEqualTo("assistant");
        assertThat(events.getLast().path("usage")).isEqualTo(whole.path("usage"));
    }

    @Test
    void models_listed_baseThenAdapters() {
        JsonNode models = TestServer.json(server.get("/v1/models"));
        assertThat(models.path("data").findValuesAsText("id")).containsExactly("lorica-tiny", "law", "tone");
        assertThat(models.at("/data/1/parent").asText()).isEqualTo("lorica-tiny");
    }

    @Test
    void health_running_isReady() {
        assertThat(server.get("/health/ready").statusCode()).isEqualTo(200);
        assertThat(server.get("/health/live").statusCode()).isEqualTo(200);
    }
}
