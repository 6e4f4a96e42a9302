package io.lorica.tensor;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MalformedGgufTest {
    private static final int STRING = 8;
    private static final int ARRAY = 9;
    private static final int UINT32 = 4;

    @TempDir
    private Path directory;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    @Test
    void open_otherMagic_isRefused() {
        int32(0x04034b50).int32(3).int64(0).int64(0);
        assertRefused("does not begin with GGUF");
    }

    @Test
    void open_version1OrBigEndian_isUnsupported() {
        int32(GgufHeader.MAGIC).int32(1).int64(0).int64(0);
        assertUnsupported("GGUF version 1");
        out.reset();
        int32(GgufHeader.MAGIC).int32(Integer.reverseBytes(3)).int64(0).int64(0);
        assertUnsupported("big-endian");
    }

    @Test
    void open_unknownVersion_isRefused() {
        int32(GgufHeader.MAGIC).int32(9).int64(0).int64(0);
        assertRefused("unknown GGUF version 9");
    }

    @Test
    void open_absurdCounts_areRefusedBeforeAnythingIsAllocated() {
        header(Long.MIN_VALUE, 0);
        assertRefused("the number of tensors is 9223372036854775808");
        out.reset();
        header(0, 1L << 40);
        assertRefused("the number of metadata values is 1099511627776");
    }

    @Test
    void open_absurdStringLength_isRefused() {
        header(0, 1).int64(1L << 62).bytes(100);
        assertRefused("the length of metadata key 0 is 4611686018427387904");
    }

    @Test
    void open_absurdArrayLength_isRefused() {
        header(0, 1)
                .string("tokens")
                .int32(ARRAY)
                .int32(STRING)
                .int64(1_000_000)
                .bytes(100);
        assertRefused("the array length of metadata 'tokens' is 1000000");
    }

    @Test
    void open_deeplyNestedArrays_areRefused() {
        header(0, 1).string("deep").int32(ARRAY);
        for (int i = 0; i < 100; i++) {
            int32(ARRAY).int64(1);
        }
        assertRefused("'deep' nests arrays deeper than 4");
    }

    @Test
    void open_unknownValueType_isRefused() {
        header(0, 1).string("k").int32(13).bytes(100);
        assertRefused("'k' has the unknown value type 13");
    }

    @Test
    void open_truthValueOfTwo_isRefused() {
        header(0, 1).string("k").int32(7).out.write(2);
        assertRefused("'k' is a truth value of 2");
    }

    @Test
    void open_keyTwice_isRefused() {
        header(0, 2)
                .string("k")
                .int32(UINT32)
                .int32(1)
                .string("k")
                .int32(UINT32)
                .int32(1);
        assertRefused("metadata 'k' occurs twice");
    }

    @Test
    void open_textOfInvalidUtf8_isRefused() {
        header(0, 1).int64(1).out.write(0xff);
        bytes(40);
        assertRefused("metadata key 0 is not UTF-8");
    }

    @Test
    void open_alignmentZeroOrOdd_isRefused() {
        for (int alignment : new int[] {0, 3, -1}) {
            out.reset();
            header(0, 1).string("general.alignment").int32(UINT32).int32(alignment);
            assertRefused("general.alignment is '" + Integer.toUnsignedString(alignment) + "'");
        }
    }

    @Test
    void open_tooManyDimensions_isRefused() {
        header(1, 0).string("t").int32(5).bytes(100);
        assertRefused("'t' has 5 dimensions");
    }

    @Test
    void open_unknownTensorType_isUnsupported() {
        header(1, 0).tensor("t", 99, 0, 4).bytes(64);
        assertUnsupported("tensor 't' has the unknown ggml type 99 (supported: F32, F16, Q4_0");
    }

    @Test
    void open_productOverflowOrNegativeSize_isRefused() {
        header(1, 0).tensor("t", 0, 0, 1L << 32, 1L << 32).bytes(64);
        assertRefused("tensor 't': shape [4294967296, 4294967296] is negative, too large");
        out.reset();
        header(1, 0).tensor("t", 0, 0, -4).bytes(64);
        assertRefused("shape [-4] is negative");
    }

    @Test
    void open_rowsThatDoNotFillBlocks_areRefused() {
        header(1, 0).tensor("t", 2, 0, 16, 2).bytes(64);
        assertRefused("shape [2, 16] is negative, too large, or not in rows of 32 as Q4_0 needs");
    }

    @Test
    void open_misalignedOrNegativeOffset_isRefused() {
        header(1, 0).tensor("t", 0, 4, 4).bytes(64);
        assertRefused("offset 4 is not a multiple of the alignment 32");
        out.reset();
        header(1, 0).tensor("t", 0, Long.MIN_VALUE, 4).bytes(64);
        assertRefused("offset 9223372036854775808 is not a multiple");
    }

    @Test
    void open_dataBeyondTheFile_isRefused() {
        header(1, 0).tensor("t", 0, 1L << 40, 4).bytes(64);
        assertRefused("16 bytes at offset 1099511627776 do not fit");
        out.reset();
        header(1, 0).tensor("t", 0, 0, 1000).bytes(64);
        assertRefused("4000 bytes at offset 0 do not fit");
    }

    @Test
    void open_overlap_isRefused() {
        header(2, 0).tensor("a", 0, 0, 16).tensor("b", 0, 32, 8).bytes(128);
        assertRefused("tensor 'b' overlaps the one before it");
    }

    @Test
    void open_tensorTwice_isRefused() {
        header(2, 0).tensor("a", 0, 0, 8).tensor("a", 0, 32, 8).bytes(128);
        assertRefused("tensor 'a' occurs twice");
    }

    @Test
    void open_truncatedHeader_namesWhereItEnds() {
        header(1, 0).string("t").bytes(15);
        assertRefused("ends after 48 bytes, inside the offset of tensor 't'");
    }

    private void assertRefused(String reason) {
        assertThatThrownBy(() -> GgufFile.open(file()).close())
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContainingAll("t.gguf", reason, "fetch or convert it again");
    }

    private void assertUnsupported(String reason) {
        assertThatThrownBy(() -> GgufFile.open(file()).close())
                .isInstanceOf(LoricaException.Unsupported.class)
                .hasMessageContainingAll("t.gguf", reason);
    }

    private Path file() throws IOException {
        return Files.write(directory.resolve("t.gguf"), out.toByteArray());
    }

    private MalformedGgufTest header(long tensors, long values) {
        return int32(GgufHeader.MAGIC).int32(3).int64(tensors).int64(values);
    }

    /** Sizes in the file's order. */
    private MalformedGgufTest tensor(String name, int type, long offset, long... sizes) {
        string(name).int32(sizes.length);
        for (long size : sizes) {
            int64(size);
        }
        return int32(type).int64(offset);
    }

    private MalformedGgufTest string(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        int64(bytes.length).out.writeBytes(bytes);
        return this;
    }

    private MalformedGgufTest int32(int value) {
        out.writeBytes(ByteBuffer.allocate(4)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(value)
                .array());
        return this;
    }

    private MalformedGgufTest int64(long value) {
        out.writeBytes(ByteBuffer.allocate(8)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(value)
                .array());
        return this;
    }

    private MalformedGgufTest bytes(int count) {
        out.writeBytes(new byte[count]);
        return this;
    }
}
