package io.lorica.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BpeTrainerTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Tokenizer SMALL = BpeTrainer.of(300)
            .train(Stream.of("the cat sat on the mat, the cat sat there"))
            .load();

    @Test
    void train_smallCorpus_learnsTheMergesOfThePythonTrainer() throws IOException {
        JsonNode expected = JSON.readTree(resource("bpe/merges.json"));
        TokenizerDefinition trained = new BpeTrainer(expected.get("vocab_size").intValue(), 2)
                .train(new String(resource("bpe/corpus.txt").readAllBytes(), StandardCharsets.UTF_8).lines());

        JsonNode model = JSON.readTree(trained.tokenizerJson()).get("model");

        assertThat(model.get("merges")).isEqualTo(expected.get("merges"));
        assertThat(model.get("vocab")).isEqualTo(expected.get("vocab"));
    }

    @Property(tries = 300)
    void encode_anyText_decodesToItself(@ForAll String text) {
        String valid = new String(text.getBytes(StandardCharsets.UTF_8), StandardCharsets.UTF_8);
        assertThat(SMALL.decode(SMALL.encode(valid, false), false)).isEqualTo(valid);
    }

    @Test
    void train_repeatedLetters_countsOverlapsOnce() {
        TokenizerDefinition trained = new BpeTrainer(262, 1).train(Stream.of("aaaa", "aaaa"));
        assertThat(merges(trained)).containsExactly("a a", "aa aa");
    }

    @Test
    void train_twice_givesTheSameFile() {
        List<String> corpus = List.of("one two three two one", "three two one zero");
        assertThat(BpeTrainer.of(290).train(corpus.stream()).tokenizerJson())
                .isEqualTo(BpeTrainer.of(290).train(corpus.stream()).tokenizerJson());
    }

    @Test
    void train_everyPairRarerThanTheMinimum_learnsNothing() {
        assertThat(merges(new BpeTrainer(300, 3).train(Stream.of("ab", "ab")))).isEmpty();
    }

    @Test
    void trainer_noRoomForBytes_saysHowManyAreNeeded() {
        assertThatThrownBy(() -> BpeTrainer.of(259))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("at least 260");
    }

    @Test
    void write_thenFromDirectory_keepsSpecialTokensAndTemplate(@TempDir Path directory) {
        BpeTrainer.of(260).train(Stream.of("x")).write(directory);
        try (Tokenizer tokenizer = Tokenizer.fromDirectory(directory)) {
            assertThat(tokenizer.eos()).hasValue(0);
            assertThat(tokenizer.pad()).hasValue(3);
            assertThat(tokenizer.chatTemplate().orElseThrow().render(List.of(new Message("user", "hi")), true))
                    .isEqualTo("<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n");
        }
    }

    private static List<String> merges(TokenizerDefinition trained) {
        try {
            return JSON.readTree(trained.tokenizerJson())
                    .get("model")
                    .get("merges")
                    .valueStream()
                    .map(JsonNode::asText)
                    .toList();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static InputStream resource(String name) {
        InputStream stream = BpeTrainerTest.class.getResourceAsStream("/" + name);
        return java.util.Objects.requireNonNull(stream, name);
    }
}
