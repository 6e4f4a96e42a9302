package io.lorica.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AtomicFileTest {
    @TempDir
    private Path directory;

    @Test
    void writeString_inADirectoryThatIsNotThere_makesIt() {
        Path file = directory.resolve("a/b/f.txt");
        AtomicFile.writeString(file, "grün");
        assertThat(file).hasContent("grün");
    }

    @Test
    void write_writerThrowsHalfway_leavesTheOldFileAndNoOther() {
        Path file = directory.resolve("f.txt");
        AtomicFile.writeString(file, "old");
        assertThatThrownBy(() -> AtomicFile.write(file, channel -> {
                    channel.write(ByteBuffer.wrap(new byte[] {'n', 'e'}));
                    throw new IOException("disk full");
                }))
                .isInstanceOf(LoricaException.Internal.class)
                .hasMessageContainingAll(file.toString(), "disk full");
        assertThat(file).hasContent("old");
        assertThat(directory.toFile().list()).containsExactly("f.txt");
    }

    @Test
    void write_uncheckedExceptionFromTheWriter_passesAndLeavesTheOldFile() {
        Path file = directory.resolve("f.txt");
        AtomicFile.writeString(file, "old");
        assertThatThrownBy(() -> AtomicFile.write(file, _ -> {
                    throw new IllegalStateException("bug");
                }))
                .isInstanceOf(IllegalStateException.class);
        assertThat(file).hasContent("old");
        assertThat(directory.toFile().list()).containsExactly("f.txt");
    }

    @Test
    void write_beforeItReturns_showsTheOldContent() {
        Path file = directory.resolve("f.txt");
        AtomicFile.writeString(file, "old");
        AtomicFile.write(file, channel -> {
            channel.write(ByteBuffer.wrap(new byte[] {'n', 'e', 'w'}));
            assertThat(file).hasContent("old");
        });
        assertThat(file).hasContent("new");
    }

    @Test
    void write_manyThreadsOneTarget_endsWithOneWholeText() {
        Path file = directory.resolve("f.txt");
        List<String> texts = IntStream.range(0, 32)
                .mapToObj(i -> ("" + (char) ('A' + i)).repeat(10_000))
                .toList();
        texts.parallelStream().forEach(text -> AtomicFile.writeString(file, text));
        assertThat(texts).contains(readString(file));
        assertThat(directory.toFile().list()).containsExactly("f.txt");
    }

    @Test
    void write_targetIsADirectory_saysSo() {
        Path target = directory.resolve("d");
        AtomicFile.writeString(target.resolve("inside"), "x");
        assertThatThrownBy(() -> AtomicFile.writeString(target, "y")).isInstanceOf(LoricaException.class);
        assertThat(target.resolve("inside")).hasContent("x");
    }

    private static String readString(Path file) {
        try {
            return java.nio.file.Files.readString(file);
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }
}
