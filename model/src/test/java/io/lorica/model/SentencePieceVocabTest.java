package io.lorica.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SentencePieceVocabTest {

    @Test
    void read_characters_encodesAfterStartAndBlank(@TempDir Path directory) throws IOException {
        Path file = Files.writeString(
                directory.resolve("v.vocab"), "<unk>\t0\n<s>\t0\n</s>\t0\n\u2581\t-0\ne\t-1\na\t-2\n");
        try (Tokenizer tokenizer = SentencePieceVocab.read(file).load()) {
            assertThat(tokenizer.encode("a eQ", true)).containsExactly(1, 3, 5, 3, 4, 0);
            assertThat(tokenizer.decode(new long[] {1, 3, 5, 3, 4}, true)).isEqualTo("a e");
            assertThat(tokenizer.eos()).hasValue(2);
        }
    }

    @Test
    void read_lineWithoutScore_isRefusedWithItsNumber(@TempDir Path directory) throws IOException {
        Path file = Files.writeString(directory.resolve("v.vocab"), "<unk>\t0\n<s>\n");
        assertThatThrownBy(() -> SentencePieceVocab.read(file))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("line 2");
    }

    @Test
    void read_otherFirstPieces_isRefused(@TempDir Path directory) throws IOException {
        Path file = Files.writeString(directory.resolve("v.vocab"), "a\t0\nb\t0\nc\t0\nd\t0\n");
        assertThatThrownBy(() -> SentencePieceVocab.read(file)).isInstanceOf(LoricaException.Unsupported.class);
    }
}
