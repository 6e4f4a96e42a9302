package io.lorica.train.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.model.Tokenizer;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Seed;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ExampleReaderTest {
    @TempDir
    Path directory;

    @Test
    void read_chatOfTwoTurns_supervisesEachAnswerWithItsEndToken() {
        try (Tokenizer tokenizer = TestTokenizers.chat()) {
            Example example = read(tokenizer, """
                    {"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"one"},\
                    {"role":"user","content":"r"},{"role":"assistant","content":"two"}]}
                    """).examples().getFirst();

            assertThat(targets(tokenizer, example)).isEqualTo("one<|im_end|>two<|im_end|>");
        }
    }

    @Test
    void read_conversations_mapsFromAndValue() {
        try (Tokenizer tokenizer = TestTokenizers.chat()) {
            Example example = read(tokenizer, """
                    {"conversations":[{"from":"human","value":"q"},{"from":"gpt","value":"one"}]}
                    """).examples().getFirst();

            assertThat(tokenizer.decode(example.tokens(), false))
                    .isEqualTo("<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\none<|im_end|>\n");
        }
    }

    @Test
    void read_answerThatMergesWithThePrompt_splitsThereAndCountsIt() {
        try (Tokenizer tokenizer = TestTokenizers.bytes(TestTokenizers.CHATML, "Ċ Ċ")) {
            DataSet set = read(tokenizer, "{\"question\":\"q\",\"answer\":\"\\nx\"}\n");

            assertThat(targets(tokenizer, set.examples().getFirst())).isEqualTo("\nx<|im_end|>");
            assertThat(set.counts().resplit()).isEqualTo(1);
        }
    }

    @Test
    void read_promptAndCompletionWithoutTemplate_takesThemToTheLetter() {
        try (Tokenizer tokenizer = TestTokenizers.plain()) {
            Example example = read(tokenizer, "{\"prompt\":\"2+2=\",\"completion\":\"4\"}\n")
                    .examples()
                    .getFirst();

            assertThat(tokenizer.decode(example.tokens(), false)).isEqualTo("2+2=4<|im_end|>");
            assertThat(targets(tokenizer, example)).isEqualTo("4<|im_end|>");
        }
    }

    @Test
    void read_alpacaWithInput_putsItIntoThePrompt() {
        try (Tokenizer tokenizer = TestTokenizers.plain()) {
            Example example = read(tokenizer, "{\"instruction\":\"add\",\"input\":\"1 2\",\"output\":\"3\"}\n")
                    .examples()
                    .getFirst();

            assertThat(tokenizer.decode(example.tokens(), false)).isEqualTo("add\n\n1 2\n3<|im_end|>");
        }
    }

    @Test
    void read_text_predictsEachTokenOnce() {
        try (Tokenizer tokenizer = TestTokenizers.plain()) {
            DataSet set =
                    new ExampleReader(tokenizer, ReadOptions.ofLength(4)).read(write("{\"text\":\"abcdefgh\"}\n"));

            assertThat(set.examples().stream().map(e -> targets(tokenizer, e)).toList())
                    .containsExactly("bcd", "efg", "h<|im_end|>");
        }
    }

    @Test
    void read_longRow_isCutAndCounted() {
        try (Tokenizer tokenizer = TestTokenizers.plain()) {
            DataSet set = new ExampleReader(tokenizer, ReadOptions.ofLength(5))
                    .read(
                            write(
                                    "{\"prompt\":\"ab\",\"completion\":\"cdefgh\"}\n{\"prompt\":\"abcdef\",\"completion\":\"x\"}\n"));

            assertThat(set.counts()).isEqualTo(new DataSet.Counts(2, 1, 5, 3, 2, 1, 0, 0));
        }
    }

    @Test
    void read_classification_numbersNamesInOrder() {
        try (Tokenizer tokenizer = TestTokenizers.plain()) {
            DataSet set = read(tokenizer, "{\"text\":\"a\",\"label\":\"spam\"}\n{\"text\":\"b\",\"label\":\"ham\"}\n");

            assertThat(set.labels()).contains(new Labels(List.of("ham", "spam")));
            assertThat(set.examples()).extracting(Example::label).containsExactly(1.0, 0.0);
        }
    }

    @Test
    void read_labelUnknownToTheTrainingSet_namesTheRow() {
        try (Tokenizer tokenizer = TestTokenizers.plain()) {
            Path file = write("{\"text\":\"a\",\"label\":\"spma\"}\n");

            assertThatThrownBy(() -> new ExampleReader(tokenizer, ReadOptions.ofLength(9))
                            .read(file, new Labels(List.of("ham", "spam"))))
                    .hasMessageContaining("line 1: label 'spma' is none of the 2 known ones; did you mean 'spam'?");
        }
    }

    @Test
    void read_fractions_areARegression() {
        assertThat(Labels.of(List.of("1.5", "2")).isRegression()).isTrue();
    }

    @Test
    void read_messagesThatAreText_namesTheLine() {
        try (Tokenizer tokenizer = TestTokenizers.chat()) {
            assertThatThrownBy(() -> read(tokenizer, "{\"messages\":\"hello\"}\n"))
                    .isInstanceOf(LoricaException.BadInput.class)
                    .hasMessageContaining("line 1")
                    .hasMessageContaining("the text \"hello\"");
        }
    }

    @Test
    void read_unknownColumns_listsThemAndTheAccepted() {
        try (Tokenizer tokenizer = TestTokenizers.chat()) {
            assertThatThrownBy(() -> read(tokenizer, "{\"a\":1,\"b\":2}\n"))
                    .hasMessageContaining("[a, b]")
                    .hasMessageContaining("prompt, completion")
                    .hasMessageContaining("prompt_column");
        }
    }

    @Test
    void read_mappedColumns_areUsed() {
        try (Tokenizer tokenizer = TestTokenizers.plain()) {
            ReadOptions options =
                    new ReadOptions(50, Template.AUTO, Map.of("prompt_column", "in", "completion_column", "out"));
            DataSet set = new ExampleReader(tokenizer, options).read(write("{\"in\":\"a\",\"out\":\"b\"}\n"));

            assertThat(targets(tokenizer, set.examples().getFirst())).isEqualTo("b<|im_end|>");
        }
    }

    @Test
    void read_emptyFile_saysSo() {
        try (Tokenizer tokenizer = TestTokenizers.plain()) {
            assertThatThrownBy(() -> read(tokenizer, "")).hasMessageContaining("has no rows");
        }
    }

    @Test
    void read_sameRows_haveTheHashOfTheRows() {
        try (Tokenizer tokenizer = TestTokenizers.plain()) {
            Path file = write("{\"text\":\"abc\"}\n");

            assertThat(new ExampleReader(tokenizer, ReadOptions.ofLength(9))
                            .read(Rows.of(file), Optional.empty())
                            .hash())
                    .isEqualTo(DataHash.of(Rows.of(file)))
                    .hasSize(64);
        }
    }

    @Test
    void split_bySeed_partsAreDisjointAndRepeatable() {
        try (Tokenizer tokenizer = TestTokenizers.plain()) {
            DataSet set = read(tokenizer, "{\"text\":\"abc\"}\n".repeat(20));

            DataSet.Split split = set.split(5, new Seed(1));

            assertThat(split.heldOut()).hasSize(5);
            assertThat(split.train()).hasSize(15).doesNotContainAnyElementsOf(split.heldOut());
            assertThat(set.split(5, new Seed(1)).heldOut()).isEqualTo(split.heldOut());
        }
    }

    private DataSet read(Tokenizer tokenizer, String jsonl) {
        return new ExampleReader(tokenizer, ReadOptions.ofLength(500)).read(write(jsonl));
    }

    private Path write(String jsonl) {
        try {
            return Files.writeString(directory.resolve("rows.jsonl"), jsonl);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    static String targets(Tokenizer tokenizer, Example example) {
        long[] ids = java.util.stream.IntStream.range(0, example.length())
                .filter(i -> example.supervised()[i])
                .mapToLong(i -> example.tokens()[i])
                .toArray();
        return tokenizer.decode(ids, false);
    }
}
