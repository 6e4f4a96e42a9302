package io.lorica.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.Grad;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;

class TextGeneratorTest {
    private static final int CONTEXT = 64;
    private static final TokenizerDefinition DEFINITION =
            BpeTrainer.of(280).train(Stream.of("the cat sat on the mat, the cat sat there"));
    private static final Tokenizer TOKENIZER = DEFINITION.load();
    private static final CausalModel MODEL = TinyLlama.model(280, CONTEXT);
    private static final long[] PROMPT = TOKENIZER.encode("the cat", false);

    @AfterAll
    static void close() {
        MODEL.close();
        TOKENIZER.close();
    }

    @Test
    void generate_greedy_takesTheLargestLogitOfTheWholeSequence() {
        assertThat(generate(PROMPT, Sampling.greedy(12)).tokens()).containsExactly(greedy(PROMPT, 12));
    }

    @Test
    void generate_maximumReached_endsForLength() {
        Generation generation = generate(PROMPT, Sampling.greedy(5));
        assertThat(generation.finishReason()).isEqualTo(Generation.FinishReason.LENGTH);
        assertThat(generation.promptTokens()).isEqualTo(PROMPT.length);
    }

    @Test
    void generate_contextFull_endsForLength() {
        assertThat(generate(PROMPT, Sampling.greedy(1000)).tokens()).hasSize(CONTEXT - PROMPT.length);
    }

    @Test
    void generate_endToken_stopsAndKeepsItOutOfTheText() {
        long[] expected = greedy(PROMPT, 4);
        ObjectNode config = DEFINITION.config().deepCopy();
        config.put("eos_token", TOKENIZER.token(expected[3]));
        try (Tokenizer ending = Tokenizer.fromJson(DEFINITION.tokenizerJson(), config)) {
            Generation generation = TextGenerator.generate(MODEL, ending, PROMPT, Sampling.greedy(20), _ -> {});
            assertThat(generation.finishReason()).isEqualTo(Generation.FinishReason.STOP);
            assertThat(generation.tokens()).containsExactly(expected);
            assertThat(generation.text()).isEqualTo(TOKENIZER.decode(Arrays.copyOf(expected, 3), true));
            Sampling on = Sampling.greedy(20).withIgnoreEos(true);
            assertThat(TextGenerator.generate(MODEL, ending, PROMPT, on, _ -> {})
                            .tokens())
                    .hasSize(20)
                    .startsWith(expected);
        }
    }

    @Test
    void generate_stopTextAcrossTokens_cutsBeforeIt() {
        String whole = generate(PROMPT, Sampling.greedy(30)).text();
        String stop = whole.substring(10, 14);
        List<String> pieces = new ArrayList<>();
        Generation generation = TextGenerator.generate(
                MODEL, TOKENIZER, PROMPT, Sampling.greedy(30).withStop(List.of(stop)), pieces::add);
        assertThat(generation.text()).isEqualTo(whole.substring(0, whole.indexOf(stop)));
        assertThat(generation.finishReason()).isEqualTo(Generation.FinishReason.STOP);
        assertThat(String.join("", pieces)).isEqualTo(generation.text());
    }

    @Test
    void generate_streamedPieces_joinToTheText() {
        List<String> pieces = new ArrayList<>();
        Generation generation = TextGenerator.generate(MODEL, TOKENIZER, PROMPT, Sampling.greedy(30), pieces::add);
        assertThat(pieces).hasSizeGreaterThan(3);
        assertThat(String.join("", pieces))
                .isEqualTo(generation.text())
                .isEqualTo(TOKENIZER.decode(generation.tokens(), true));
    }

    @Test
    void generateAll_promptsOfDifferentLength_answersAsOneByOne() {
        List<long[]> prompts = Stream.of("the", "the cat sat on", "m", "there there", "cat")
                .map(text -> TOKENIZER.encode(text, false))
                .toList();
        Sampling sampling = Sampling.greedy(20).withStop(List.of("a"));
        List<String> together = TextGenerator.generateAll(MODEL, TOKENIZER, prompts, sampling, 3).stream()
                .map(generation -> generation.text() + generation.finishReason())
                .toList();
        List<String> alone = prompts.stream()
                .map(prompt -> generate(prompt, sampling))
                .map(generation -> generation.text() + generation.finishReason())
                .toList();
        assertThat(together).isEqualTo(alone);
        assertThat(together.stream().map(String::length).distinct().count()).isGreaterThan(1);
    }

    @Test
    void generate_sameSeed_givesTheSameAnswer() {
        Sampling sampling = Sampling.greedy(20).withTemperature(1).withSeed(7);
        assertThat(generate(PROMPT, sampling).tokens())
                .containsExactly(generate(PROMPT, sampling).tokens());
    }

    @Test
    void generate_otherSeed_givesAnotherAnswer() {
        Sampling sampling = Sampling.greedy(20).withTemperature(1).withSeed(7);
        assertThat(generate(PROMPT, sampling).tokens())
                .isNotEqualTo(generate(PROMPT, sampling.withSeed(8)).tokens());
    }

    @Test
    void generateAll_drawsWithAnyWidth_areTheSame() {
        List<long[]> prompts = List.of(PROMPT, PROMPT, PROMPT);
        Sampling sampling = Sampling.greedy(10).withTemperature(1);
        assertThat(TextGenerator.generateAll(MODEL, TOKENIZER, prompts, sampling, 1))
                .extracting(Generation::text)
                .doesNotHaveDuplicates()
                .isEqualTo(TextGenerator.generateAll(MODEL, TOKENIZER, prompts, sampling, 3).stream()
                        .map(Generation::text)
                        .toList());
    }

    @Test
    void generate_promptFillsTheContext_isRefused() {
        assertThatThrownBy(() -> generate(new long[CONTEXT], Sampling.greedy(1)))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("64 tokens");
    }

    @Test
    void generate_emptyPrompt_isRefused() {
        assertThatThrownBy(() -> generate(new long[0], Sampling.greedy(1)))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("no tokens");
    }

    @Test
    void generate_idOutsideTheModel_isRefused() {
        assertThatThrownBy(() -> generate(new long[] {280}, Sampling.greedy(1)))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("token id 280");
    }

    private static Generation generate(long[] prompt, Sampling sampling) {
        return TextGenerator.generate(MODEL, TOKENIZER, prompt, sampling, _ -> {});
    }

    /** Without a cache: the whole sequence again for each token. */
    private static long[] greedy(long[] prompt, int count) {
        long[] ids = prompt;
        for (int i = 0; i < count; i++) {
            try (Scope _ = Scope.open();
                    Grad _ = Grad.disabled()) {
                float[] logits = Tensors.floats(MODEL.nextLogits(Batch.of(List.of(ids)), Pass.inference()));
                int best = 0;
                for (int j = 1; j < logits.length; j++) {
                    best = logits[j] > logits[best] ? j : best;
                }
                ids = Arrays.copyOf(ids, ids.length + 1);
                ids[ids.length - 1] = best;
            }
        }
        return Arrays.copyOfRange(ids, prompt.length, ids.length);
    }
}
