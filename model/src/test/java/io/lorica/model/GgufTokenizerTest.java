package io.lorica.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.tensor.LoricaException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class GgufTokenizerTest {

    @Test
    void convert_smollm_splitsDigits() {
        assertThat(tokens("smollm", "ab12")).containsExactly("ab", "1", "2");
    }

    @Test
    void convert_gpt2_keepsDigitsTogether() {
        assertThat(tokens("gpt-2", "ab12")).containsExactly("ab", "12");
    }

    @Test
    void convert_llamaBpe_beginsWithBos() {
        Map<String, Object> values = byteLevel("llama-bpe");
        try (Tokenizer tokenizer = GgufTokenizer.convert(values, "test").load()) {
            assertThat(tokenizer.encode("ab", true))
                    .containsExactly(256, tokenizer.id("ab").orElseThrow());
        }
    }

    @Test
    void convert_qwen2_composesCharacters() {
        try (Tokenizer tokenizer =
                GgufTokenizer.convert(byteLevel("qwen2"), "test").load()) {
            assertThat(tokenizer.decode(tokenizer.encode("e\u0301", false), false))
                    .isEqualTo("\u00e9");
        }
    }

    @Test
    void convert_unknownPre_isRefusedWithTheNearestName() {
        assertThatThrownBy(() -> GgufTokenizer.convert(byteLevel("smolm"), "model.gguf"))
                .isInstanceOf(LoricaException.Unsupported.class)
                .hasMessageContaining("model.gguf")
                .hasMessageContaining("did you mean 'smollm'?");
    }

    @Test
    void convert_mergeOfUnknownTokens_isRefused() {
        Map<String, Object> values = byteLevel("gpt-2");
        values.put("tokenizer.ggml.merges", List.of("a b", "x y"));
        assertThatThrownBy(() -> GgufTokenizer.convert(values, "model.gguf"))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("'x y'");
    }

    @Test
    void convert_specialIdOutsideTheVocabulary_isRefused() {
        Map<String, Object> values = byteLevel("gpt-2");
        values.put("tokenizer.ggml.eos_token_id", 400L);
        assertThatThrownBy(() -> GgufTokenizer.convert(values, "model.gguf"))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("eos_token_id is 400");
    }

    @Test
    void convert_sentencePiece_joinsBestScoresFirstAndFallsBackToBytes() {
        List<String> tokens =
                List.of("<unk>", "<s>", "</s>", "<0x0A>", "\u2581", "a", "b", "c", "ab", "bc", "\u2581ab");
        Map<String, Object> values = new HashMap<>();
        values.put("tokenizer.ggml.model", "llama");
        values.put("tokenizer.ggml.tokens", tokens);
        values.put("tokenizer.ggml.scores", List.of(0f, 0f, 0f, 0f, -9f, -9f, -9f, -9f, -2f, -1f, -3f));
        values.put("tokenizer.ggml.token_type", List.of(2L, 3L, 3L, 6L, 1L, 1L, 1L, 1L, 1L, 1L, 1L));
        values.put("tokenizer.ggml.bos_token_id", 1L);
        values.put("tokenizer.ggml.unknown_token_id", 0L);
        try (Tokenizer tokenizer = GgufTokenizer.convert(values, "test").load()) {
            assertThat(tokenizer.encode("ab abc\n", true)).containsExactly(1, 10, 4, 5, 9, 3);
            assertThat(tokenizer.decode(new long[] {1, 10, 4, 5, 9, 3}, true)).isEqualTo("ab abc\n");
        }
    }

    private static List<String> tokens(String pre, String text) {
        try (Tokenizer tokenizer = GgufTokenizer.convert(byteLevel(pre), "test").load()) {
            return Arrays.stream(tokenizer.encode(text, false))
                    .mapToObj(tokenizer::token)
                    .toList();
        }
    }

    /** All bytes, an end token (id 256), and the merges "ab" and "12". */
    private static Map<String, Object> byteLevel(String pre) {
        List<String> tokens = new ArrayList<>();
        List<Object> types = new ArrayList<>();
        for (int b = 0; b < 256; b++) {
            tokens.add(Character.toString(ByteAlphabet.of(b)));
            types.add(1L);
        }
        tokens.addAll(List.of("<end>", "ab", "12"));
        types.addAll(List.of(3L, 1L, 1L));
        Map<String, Object> values = new HashMap<>();
        values.put("tokenizer.ggml.model", "gpt2");
        values.put("tokenizer.ggml.pre", pre);
        values.put("tokenizer.ggml.tokens", tokens);
        values.put("tokenizer.ggml.token_type", types);
        values.put("tokenizer.ggml.merges", List.of("a b", "1 2"));
        values.put("tokenizer.ggml.bos_token_id", 256L);
        values.put("tokenizer.ggml.eos_token_id", 256L);
        return values;
    }
}
