package io.lorica.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.io.InputStream;
import java.time.LocalDate;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class ChatTemplateTest {

    /** Expected texts are those of transformers; see {@code bench/peers/make_text_fixtures.py}. */
    @ParameterizedTest(name = "{0}, {1}, prompt {2}")
    @MethodSource("cases")
    void render_templateOfTransformers_givesItsText(
            String name,
            String conversation,
            boolean prompt,
            ChatTemplate template,
            List<Message> messages,
            JsonNode expected) {
        if (expected.has("text")) {
            assertThat(template.render(messages, prompt))
                    .isEqualTo(expected.get("text").textValue());
        } else {
            assertThatThrownBy(() -> template.render(messages, prompt))
                    .isInstanceOf(LoricaException.BadInput.class)
                    .hasMessageContaining(expected.get("error").textValue());
        }
    }

    static Stream<Arguments> cases() throws IOException {
        JsonNode document;
        try (InputStream stream = ChatTemplateTest.class.getResourceAsStream("/chat/templates.json")) {
            document = new ObjectMapper().readTree(Objects.requireNonNull(stream));
        }
        Map<String, String> tokens = new HashMap<>();
        document.get("tokens")
                .properties()
                .forEach(token -> tokens.put(token.getKey(), token.getValue().textValue()));
        return document.get("cases").valueStream().map(row -> {
            String name = row.get("name").textValue();
            String conversation = row.get("conversation").textValue();
            List<Message> messages = new ArrayList<>();
            document.get("conversations")
                    .get(conversation)
                    .forEach(turn -> messages.add(new Message(
                            turn.get("role").textValue(), turn.get("content").textValue())));
            ChatTemplate template =
                    ChatTemplate.of(document.get("templates").get(name).textValue(), tokens);
            return Arguments.of(
                    name,
                    conversation,
                    row.get("add_generation_prompt").booleanValue(),
                    template,
                    List.copyOf(messages),
                    row);
        });
    }

    @Test
    void render_strftimeNow_writesToday() {
        String year = Integer.toString(LocalDate.now(ZoneId.systemDefault()).getYear());
        assertThat(render("{{ strftime_now('%Y') }}")).isEqualTo(year);
    }

    @Test
    void render_unknownFilter_isRefused() {
        refused("{{ 'a' | frobnicate }}", "frobnicate");
    }

    @Test
    void render_unknownFunction_isRefused() {
        refused("{{ frobnicate('a') }}", "frobnicate");
    }

    @Test
    void render_unknownTag_isRefused() {
        refused("{% frobnicate %}", "frobnicate");
    }

    @Test
    void render_unknownStringMethod_isRefused() {
        refused("{{ 'a'.frobnicate() }}", "frobnicate");
    }

    @Test
    void render_unknownTest_isRefused() {
        refused("{{ 'a' is frobnicated }}", "frobnicated");
    }

    @Test
    void render_blockThatIsNotClosed_isRefused() {
        refused("{% if true %}a", "if");
    }

    @Test
    void render_javaReflection_isRefused() {
        refused("{{ 'a'.getClass().forName('java.lang.Runtime') }}", "");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{% for m in [] %}x{% else %}empty{% endfor %}",
                "{{ 'a' and 'b' }}",
                "{{ 'a' or 'b' }}",
                "{{ 'abc'[-1] }}",
                "{% for m in messages %}{{ loop.previtem.role }}{% endfor %}",
                "{{ [1, 2, 3][::2] }}",
                "{{ strftime_now('%Q') }}",
                "{{ 'a' }",
                "{# open"
            })
    void render_whatTheEngineReadsOtherwise_isRefused(String template) {
        refused(template, "cannot be rendered");
    }

    private static void refused(String template, String part) {
        assertThatThrownBy(() -> render(template))
                .isInstanceOf(LoricaException.Unsupported.class)
                .hasMessageContaining(part);
    }

    private static String render(String template) {
        return ChatTemplate.of(template, Map.of()).render(List.of(new Message("user", "hi")), true);
    }
}
