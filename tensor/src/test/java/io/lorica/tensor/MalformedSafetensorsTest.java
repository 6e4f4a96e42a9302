package io.lorica.tensor;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MalformedSafetensorsTest {
    @TempDir
    private Path directory;

    /** Single quotes stand for double ones in the header; 8 bytes of data follow it. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
                    {'a':{'dtype':'F32','shape':[2],'data_offsets':[0,16]}}                         | data_offsets [0, 16] do not lie in the 8 bytes of data
                    {'a':{'dtype':'F32','shape':[2],'data_offsets':[8,0]}}                          | data_offsets [8, 0] do not lie
                    {'a':{'dtype':'F32','shape':[2],'data_offsets':[-8,0]}}                         | data_offsets [-8, 0] do not lie
                    {'a':{'dtype':'F32','shape':[1],'data_offsets':[0,8]}}                          | F32 [1] needs 4 bytes, but data_offsets [0, 8] hold 8
                    {'a':{'dtype':'F16','shape':[2],'data_offsets':[0,8]}}                          | F16 [2] needs 4 bytes
                    {'a':{'dtype':'F32','shape':[-2],'data_offsets':[0,8]}}                         | shape [-2] is negative
                    {'a':{'dtype':'F32','shape':[4294967296,4294967296],'data_offsets':[0,8]}}      | is negative or has more than 2^63 bytes
                    {'a':{'dtype':'F32','shape':[0,4611686018427387904,4],'data_offsets':[0,0]}}    | is negative or has more than 2^63 bytes
                    {'a':{'dtype':'F32','shape':[99999999999999999999],'data_offsets':[0,8]}}       | shape is not a list of at most 32 whole numbers
                    {'a':{'dtype':'F32','shape':[2.0],'data_offsets':[0,8]}}                        | shape is not a list
                    {'a':{'dtype':'F32','shape':[2],'data_offsets':[0,4,8]}}                        | data_offsets is not a list of at most 2
                    {'a':{'dtype':'F32','shape':[2],'data_offsets':[0]}}                            | lacks a valid dtype, shape or data_offsets
                    {'a':{'dtype':'F33','shape':[2],'data_offsets':[0,8]}}                          | unknown dtype 'F33'
                    {'a':{'dtype':'F32','shape':[2]}}                                               | tensor 'a' lacks
                    {'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8],'x':1}}                    | unknown key 'x'
                    {'a':7}                                                                         | key 'a' is not an object
                    {'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]}}                          | 4 bytes at the end belong to no tensor
                    {'a':{'dtype':'F32','shape':[1],'data_offsets':[4,8]}}                          | begins at data byte 4 where 0 is expected (gap)
                    {'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8]},'b':{'dtype':'F32','shape':[1],'data_offsets':[4,8]}} | tensor 'b' begins at data byte 4 where 8 is expected (overlap)
                    {'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8]},'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8]}} | Duplicate field
                    {'a':{'dtype':'F32','dtype':'F32','shape':[2],'data_offsets':[0,8]}}            | Duplicate field
                    {'__metadata__':{'a':1},'b':{'dtype':'F32','shape':[2],'data_offsets':[0,8]}}   | __metadata__ key 'a' is not a string
                    {'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8]}                           | not valid JSON
                    {'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8]}} {}                       | something follows
                    [1]                                                                             | does not begin with '{'
                    {'a':[[[[[[[1]]]]]]]}                                                           | key 'a' is not an object
                    """)
    void open_faultyHeader_isRefusedWithTheReason(String header, String reason) throws IOException {
        byte[] json = header.replace('\'', '"').getBytes(StandardCharsets.UTF_8);
        assertRefused(file(json.length, json, 8), reason);
    }

    @Test
    void open_severalFaults_reportsAllOfThem() throws IOException {
        byte[] json = """
                {"a":{"dtype":"F33","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}\
                """.getBytes(StandardCharsets.UTF_8);
        assertRefused(file(json.length, json, 8), "unknown dtype 'F33'", "F32 [3] needs 12 bytes");
    }

    @ParameterizedTest
    @CsvSource({
        "-9223372036854775808, 9223372036854775808",
        "9223372036854775807, 9223372036854775807",
        "-1, 18446744073709551615",
        "100, 100",
        "0, 0"
    })
    void open_absurdHeaderLength_isRefused(long length, String shown) throws IOException {
        assertRefused(file(length, new byte[] {'{', '}'}, 8), "states a header of " + shown + " bytes");
    }

    @Test
    void open_headerOfInvalidUtf8_isRefused() throws IOException {
        byte[] json = "{\"é\":{}}".getBytes(StandardCharsets.ISO_8859_1);
        assertRefused(file(json.length, json, 0), "the header is not UTF-8");
    }

    @Test
    void open_deepNesting_isRefused() throws IOException {
        byte[] json = ("{\"a\":" + "[".repeat(100_000)).getBytes(StandardCharsets.UTF_8);
        assertRefused(file(json.length, json, 0), "not valid JSON");
    }

    @Test
    void open_truncatedData_isRefused() throws IOException {
        byte[] whole = Files.readAllBytes(Fixtures.file("types.safetensors"));
        Path file = Files.write(directory.resolve("t.safetensors"), java.util.Arrays.copyOf(whole, whole.length - 1));
        assertRefused(file, "do not lie in the");
    }

    @Test
    void open_emptyFile_isRefused() throws IOException {
        assertRefused(Files.write(directory.resolve("t.safetensors"), new byte[0]), "has 0 bytes");
    }

    @Test
    void open_directoryOrMissingFile_saysSo() {
        assertRefused(directory, "is a directory");
        assertThatThrownBy(() -> SafetensorsFile.open(directory.resolve("none")))
                .isInstanceOf(LoricaException.NotFound.class)
                .hasMessageContaining("does not exist");
    }

    private static void assertRefused(Path file, String... reasons) {
        assertThatThrownBy(() -> SafetensorsFile.open(file).close())
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageStartingWith(file.toString())
                .hasMessageContainingAll(reasons);
    }

    private Path file(long length, byte[] header, int data) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(8 + header.length + data).order(ByteOrder.LITTLE_ENDIAN);
        return Files.write(
                directory.resolve("t.safetensors"),
                bytes.putLong(length).put(header).array());
    }
}
