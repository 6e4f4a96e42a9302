package io.lorica.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Expected ids are those of the Python library; see {@code bench/peers/make_tokenizer_fixtures.py}. */
class TokenizerTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Tokenizer BYTES = load("qwen2");

    @ParameterizedTest
    @ValueSource(strings = {"wordpiece", "llama3", "qwen2", "clip"})
    void encode_texts_giveTheIdsOfThePythonLibrary(String name) {
        try (Tokenizer tokenizer = load(name)) {
            for (JsonNode row : expected(name).get("singles")) {
                String text = row.get("text").textValue();
                assertThat(tokenizer.encode(text, true)).as(text).containsExactly(longs(row.get("ids")));
                assertThat(tokenizer.encode(text, false)).as(text).containsExactly(longs(row.get("plain")));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"wordpiece", "llama3", "qwen2", "clip"})
    void encodeWithOffsets_texts_givesSpansOfTheJavaText(String name) {
        try (Tokenizer tokenizer = load(name)) {
            for (JsonNode row : expected(name).get("singles")) {
                String text = row.get("text").textValue();
                Tokenizer.Encoding encoding = tokenizer.encodeWithOffsets(text, true);
                List<Integer> spans = new ArrayList<>();
                for (int i = 0; i < encoding.ids().length; i++) {
                    spans.add(text.codePointCount(0, encoding.starts()[i]));
                    spans.add(text.codePointCount(0, encoding.ends()[i]));
                }
                List<Integer> python = new ArrayList<>();
                row.get("spans").forEach(span -> span.forEach(at -> python.add(at.intValue())));
                assertThat(spans).as(text).isEqualTo(python);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"wordpiece", "llama3", "qwen2", "clip"})
    void encodePair_twoTexts_givesIdsAndTypes(String name) {
        try (Tokenizer tokenizer = load(name)) {
            for (JsonNode row : expected(name).get("pairs")) {
                JsonNode pair = row.get("pair");
                Tokenizer.Pair encoded = tokenizer.encodePair(
                        pair.get(0).textValue(), pair.get(1).textValue());
                assertThat(encoded.ids()).containsExactly(longs(row.get("ids")));
                assertThat(encoded.typeIds()).containsExactly(longs(row.get("types")));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"wordpiece", "llama3", "qwen2"})
    void decode_withoutSpecialTokens_givesTheTextOfThePythonLibrary(String name) {
        try (Tokenizer tokenizer = load(name)) {
            for (JsonNode row : expected(name).get("singles")) {
                assertThat(tokenizer.decode(longs(row.get("ids")), true))
                        .isEqualTo(row.get("decoded").textValue());
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama3", "qwen2"})
    void ggufConversion_sameVocabulary_givesTheSameIds(String name) throws IOException {
        JsonNode model = JSON.readTree(text(name + ".json")).get("model");
        Map<Integer, String> tokens = new TreeMap<>();
        model.get("vocab")
                .properties()
                .forEach(entry -> tokens.put(entry.getValue().intValue(), entry.getKey()));
        List<String> merges = model.get("merges")
                .valueStream()
                .map(merge -> merge.get(0).textValue() + " " + merge.get(1).textValue())
                .toList();
        List<Long> types = tokens.keySet().stream().map(id -> id == 0 ? 3L : 1L).toList();
        Map<String, Object> values = Map.of(
                "tokenizer.ggml.model",
                "gpt2",
                "tokenizer.ggml.pre",
                name.equals("llama3") ? "llama-bpe" : "qwen2",
                "tokenizer.ggml.tokens",
                List.copyOf(tokens.values()),
                "tokenizer.ggml.merges",
                merges,
                "tokenizer.ggml.token_type",
                types,
                "tokenizer.ggml.bos_token_id",
                0L);
        try (Tokenizer tokenizer = GgufTokenizer.convert(values, name).load()) {
            for (JsonNode row : expected(name).get("singles")) {
                assertThat(tokenizer.encode(row.get("text").textValue(), true)).containsExactly(longs(row.get("ids")));
            }
        }
    }

    @Property(tries = 300)
    void stream_anyText_joinsToTheWhole(@ForAll String text) {
        String valid = new String(text.getBytes(StandardCharsets.UTF_8), StandardCharsets.UTF_8);
        TokenStream stream = BYTES.stream(false);
        StringBuilder joined = new StringBuilder();
        long[] ids = BYTES.encode(valid, false);
        for (long id : ids) {
            joined.append(stream.add(id));
        }
        assertThat(joined.append(stream.finish()).toString()).isEqualTo(BYTES.decode(ids, false));
    }

    @Test
    void stream_characterOfSeveralTokens_comesWithTheLast() {
        TokenStream stream = BYTES.stream(false);
        List<String> pieces = new ArrayList<>();
        for (long id : BYTES.encode("\u00e9\ud83e\udd99", false)) {
            pieces.add(stream.add(id));
        }
        assertThat(pieces).hasSizeGreaterThan(2).allMatch(piece -> piece.indexOf('\uFFFD') < 0);
        assertThat(String.join("", pieces)).isEqualTo("\u00e9\ud83e\udd99");
    }

    @Test
    void stream_characterNeverCompleted_finishesWithTheReplacement() {
        TokenStream stream = BYTES.stream(false);
        long[] ids = BYTES.encode("\ud83e\udd99", false);
        assertThat(stream.add(ids[0])).isEmpty();
        assertThat(stream.finish()).isEqualTo("\uFFFD");
    }

    @Test
    void fromDirectory_allFiles_findsSpecialTokensEndsAndTemplate(@TempDir Path directory) throws IOException {
        write(directory, "tokenizer.json", text("wordpiece.json"));
        write(directory, "tokenizer_config.json", "{\"eos_token\": {\"content\": \"[SEP]\"}, \"bos_token\": null}");
        write(directory, "special_tokens_map.json", "{\"pad_token\": \"[PAD]\", \"eos_token\": \"[MASK]\"}");
        write(directory, "generation_config.json", "{\"eos_token_id\": [3, 4]}");
        write(directory, "chat_template.jinja", "{{ eos_token }}{{ messages[0].content }}\n");
        try (Tokenizer tokenizer = Tokenizer.fromDirectory(directory)) {
            assertThat(tokenizer.eos()).hasValue(3);
            assertThat(tokenizer.pad()).hasValue(0);
            assertThat(tokenizer.bos()).isEmpty();
            assertThat(tokenizer.endIds()).containsExactly(3L, 4L);
            assertThat(tokenizer.isSpecial(3)).isTrue();
            assertThat(tokenizer.isSpecial(9)).isFalse();
            assertThat(tokenizer.chatTemplate().orElseThrow().render(List.of(new Message("user", "x")), false))
                    .isEqualTo("[SEP]x");
        }
    }

    @Test
    void write_thenRead_givesTheSameTokenizer(@TempDir Path directory) {
        BYTES.write(directory);
        try (Tokenizer copy = Tokenizer.fromDirectory(directory)) {
            assertThat(copy.encode("the cat", true)).containsExactly(BYTES.encode("the cat", true));
            assertThat(copy.vocabularySize()).isEqualTo(450);
        }
    }

    @Test
    void chatTemplate_severalNamed_takesTheDefault() {
        ObjectNode config = JSON.createObjectNode();
        config.putArray("chat_template")
                .add(JSON.createObjectNode().put("name", "tool_use").put("template", "no"))
                .add(JSON.createObjectNode().put("name", "default").put("template", "yes"));
        try (Tokenizer tokenizer = Tokenizer.fromJson(text("qwen2.json"), config)) {
            assertThat(tokenizer.chatTemplate().map(ChatTemplate::source)).isEqualTo(Optional.of("yes"));
        }
    }

    @Test
    void fromDirectory_noTokenizer_saysWhatToDo(@TempDir Path directory) {
        assertThatThrownBy(() -> Tokenizer.fromDirectory(directory))
                .isInstanceOf(LoricaException.NotFound.class)
                .hasMessageContaining("no tokenizer.json");
    }

    @Test
    void fromDirectory_notJson_namesTheFile(@TempDir Path directory) throws IOException {
        write(directory, "tokenizer.json", "{\"model\": ");
        assertThatThrownBy(() -> Tokenizer.fromDirectory(directory))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("tokenizer.json is no valid JSON");
    }

    @Test
    void fromJson_unknownModel_isRefused() {
        assertThatThrownBy(() -> Tokenizer.fromJson(
                        "{\"version\": \"1.0\", \"added_tokens\": [], \"model\": {\"type\": \"X\", \"vocab\": {}}}",
                        JSON.createObjectNode()))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("cannot read this tokenizer");
    }

    @Test
    void encode_loneSurrogate_isRefused() {
        assertThatThrownBy(() -> BYTES.encode("a\ud800b", false))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("index 1");
    }

    @Test
    void encode_afterClose_isRefused() {
        Tokenizer tokenizer = load("qwen2");
        tokenizer.close();
        assertThatThrownBy(() -> tokenizer.encode("a", false)).hasMessageContaining("closed");
    }

    private static Tokenizer load(String name) {
        return Tokenizer.fromJson(text(name + ".json"), JSON.createObjectNode());
    }

    private static JsonNode expected(String name) {
        try {
            return JSON.readTree(text(name + ".expected.json"));
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static String text(String name) {
        try (InputStream stream = TokenizerTest.class.getResourceAsStream("/tokenizers/" + name)) {
            return new String(Objects.requireNonNull(stream, name).readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static long[] longs(JsonNode array) {
        return array.valueStream().mapToLong(JsonNode::longValue).toArray();
    }

    private static void write(Path directory, String name, String content) throws IOException {
        Files.writeString(directory.resolve(name), content);
    }
}
