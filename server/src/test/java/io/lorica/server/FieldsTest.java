package io.lorica.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What each key of a request does. */
class FieldsTest {
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

    private static JsonNode text(String more) {
        return TestServer.json(server.post(
                "/v1/completions",
                "{'model': 'lorica-tiny', 'prompt': 'Once upon a time', 'max_tokens': 8, " + more + "}"));
    }

    private static JsonNode chat(String more) {
        return TestServer.json(server.post(
                "/v1/chat/completions",
                "{'model': 'lorica-tiny', 'messages': [{'role': 'user', 'content': 'Hello'}], 'max_tokens': 8, " + more
                        + "}"));
    }

    private static String message(JsonNode answer) {
        return answer.at("/error/message").asText();
    }

    @Test
    void n_withSeed_givesDifferentAnswersTheSameEachTime() {
        List<String> first = text("'n': 3, 'seed': 5").findValuesAsText("text");
        assertThat(first).hasSize(3).doesNotHaveDuplicates();
        assertThat(text("'n': 3, 'seed': 5").findValuesAsText("text")).isEqualTo(first);
    }

    @Test
    void prompt_list_answersEachInItsOrder() {
        String body = "{'model': 'lorica-tiny', 'temperature': 0, 'prompt': %s}";
        JsonNode both = TestServer.json(server.post("/v1/completions", body.formatted("['The king', 'She said']")));
        for (int i = 0; i < 2; i++) {
            String alone = i == 0 ? "'The king'" : "'She said'";
            assertThat(both.at("/choices/" + i + "/text"))
                    .isEqualTo(TestServer.json(server.post("/v1/completions", body.formatted(alone)))
                            .at("/choices/0/text"));
        }
    }

    @Test
    void stop_text_endsBeforeIt() {
        String whole = text("'temperature': 0").at("/choices/0/text").asText();
        String stop = whole.substring(4, 7);
        JsonNode answer = text("'temperature': 0, 'stop': '" + stop + "'");
        assertThat(answer.at("/choices/0/text").asText()).isEqualTo(whole.substring(0, whole.indexOf(stop)));
        assertThat(answer.at("/choices/0/finish_reason").asText()).isEqualTo("stop");
    }

    @Test
    void echo_text_comesBeforeTheAnswer() {
        String answer = text("'temperature': 0").at("/choices/0/text").asText();
        assertThat(text("'temperature': 0, 'echo': true").at("/choices/0/text").asText())
                .isEqualTo("Once upon a time" + answer);
    }

    @Test
    void logprobs_ofText_listTokensWithOffsets() {
        JsonNode choice = text("'temperature': 0, 'logprobs': 2").at("/choices/0");
        JsonNode logprobs = choice.path("logprobs");
        assertThat(logprobs.path("tokens")).hasSize(8);
        StringBuilder joined = new StringBuilder();
        logprobs.path("tokens").forEach(token -> joined.append(token.asText()));
        assertThat(joined.toString()).isEqualTo(choice.path("text").asText());
        assertThat(logprobs.at("/text_offset/1").asInt())
                .isEqualTo(logprobs.at("/tokens/0").asText().length());
        // the chosen token is the likeliest when nothing is drawn
        assertThat(logprobs.at("/top_logprobs/0")
                        .path(logprobs.at("/tokens/0").asText())
                        .asDouble())
                .isEqualTo(logprobs.at("/token_logprobs/0").asDouble());
        assertThat(logprobs.at("/top_logprobs/0")).hasSize(2);
    }

    @Test
    void logprobs_ofChat_listTokensWithBytes() {
        JsonNode choice =
                chat("'temperature': 0, 'logprobs': true, 'top_logprobs': 3").at("/choices/0");
        JsonNode first = choice.at("/logprobs/content/0");
        assertThat(choice.at("/message/content").asText())
                .startsWith(first.path("token").asText());
        assertThat(first.path("top_logprobs")).hasSize(3);
        assertThat(first.at("/top_logprobs/0/logprob").asDouble())
                .isCloseTo(first.path("logprob").asDouble(), offset(0.0));
        assertThat(first.path("bytes"))
                .hasSize(first.path("token").asText().getBytes(java.nio.charset.StandardCharsets.UTF_8).length);
    }

    @Test
    void logprobs_streamed_areThoseOfTheWholeAnswer() {
        JsonNode whole = text("'temperature': 0, 'logprobs': 1");
        List<JsonNode> events = TestServer.events(server.post(
                "/v1/completions",
                "{'model': 'lorica-tiny', 'prompt': 'Once upon a time', 'max_tokens': 8, 'temperature': 0,"
                        + " 'logprobs': 1, 'stream': true}"));
        List<Integer> offsets = events.stream()
                .flatMap(event -> event.findValues("text_offset").stream())
                .flatMap(array -> array.valueStream().map(JsonNode::asInt))
                .toList();
        assertThat(offsets)
                .isEqualTo(whole.at("/choices/0/logprobs/text_offset")
                        .valueStream()
                        .map(JsonNode::asInt)
                        .toList());
    }

    @Test
    void model_blend_differsFromItsParts() {
        List<String> answers = List.of("lorica-tiny", "tone", "law", "tone:0.7+law:0.5").stream()
                .map(model -> TestServer.json(server.post(
                                "/v1/completions",
                                "{'model': '" + model + "', 'prompt': 'Once upon a time', 'temperature': 0}"))
                        .at("/choices/0/text")
                        .asText())
                .toList();
        assertThat(answers).doesNotHaveDuplicates().doesNotContain("");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '^',
            value = {
                "'user': 'u', 'metadata': {'a': 'b'}, 'store': false, 'service_tier': 'auto'",
                "'frequency_penalty': 0, 'presence_penalty': 0, 'logit_bias': {}, 'tools': [], 'tool_choice': 'auto'",
                "'response_format': {'type': 'text'}, 'modalities': ['text'], 'stop': null, 'n': 1"
            })
    void fields_withoutEffectHere_areTaken(String fields) {
        assertThat(chat(fields.replace("''", "'")).path("object").asText()).isEqualTo("chat.completion");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '^',
            value = {
                "'temprature': 1 | temperature",
                "'temperature': 3 | temperature",
                "'top_p': 0 | top_p",
                "'n': 0 | 'n'",
                "'seed': 'x' | seed",
                "'stream_options': {} | stream",
                "'top_logprobs': 2 | logprobs",
                "'max_completion_tokens': 9 | max_tokens",
                "'frequency_penalty': 1 | frequency_penalty",
                "'response_format': {'type': 'json_object'} | response_format",
                "'tools': [{'type': 'function'}] | tools",
                "'logit_bias': {'5': 10} | logit_bias",
            })
    void fields_thatCannotBeHonoured_areRefusedByName(String fields, String named) {
        JsonNode answer = chat(fields);
        assertThat(message(answer)).contains(named);
        assertThat(answer.at("/error/param").asText()).isNotEmpty();
    }

    @Test
    void maxTokens_beyondContext_isRefusedWithTheNumbers() {
        assertThat(message(TestServer.json(server.post(
                        "/v1/completions", "{'model': 'lorica-tiny', 'prompt': 'The', 'max_tokens': 600}"))))
                .contains("600", "512");
    }

    @Test
    void messages_ofPartsAndDeveloper_readAsText() {
        JsonNode answer = TestServer.json(server.post(
                "/v1/chat/completions",
                "{'model': 'lorica-tiny', 'max_tokens': 4, 'messages': [{'role': 'developer', 'content': 'Be brief.'},"
                        + " {'role': 'user', 'content': [{'type': 'text', 'text': 'Hello'}]}]}"));
        assertThat(answer.at("/usage/completion_tokens").asInt()).isPositive();
    }
}
