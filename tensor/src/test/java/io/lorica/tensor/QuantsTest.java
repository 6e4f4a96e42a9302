package io.lorica.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Against values that gguf-py dequantized; see {@code bench/peers/make_tensor_fixtures.py}. */
class QuantsTest {
    private static final Path QUANTS = Fixtures.file("quants.gguf");

    @ParameterizedTest
    @ValueSource(strings = {"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K", "F32", "F16", "BF16"})
    void read_everyType_isBitEqualToTheReference(String type) {
        try (Scope _ = Scope.open();
                GgufFile source = GgufFile.open(QUANTS);
                TensorSource reference = SafetensorsFile.open(Fixtures.file("quants.expected.safetensors"))) {
            assertThat(source.info(type).dtype()).isEqualTo(type);
            assertThat(source.info(type).shape())
                    .containsExactly(reference.info(type).shape());
            assertThat(Tensors.floats(source.read(type))).containsExactly(Tensors.floats(reference.read(type)));
        }
    }

    @Test
    void values_everyValueType_comesAsItsJavaType() {
        try (GgufFile source = GgufFile.open(QUANTS)) {
            assertThat(source.values())
                    .containsEntry("general.architecture", "llama")
                    .containsEntry("t.u8", 200L)
                    .containsEntry("t.i8", -100L)
                    .containsEntry("t.u16", 60000L)
                    .containsEntry("t.i16", -30000L)
                    .containsEntry("t.u32", 4_000_000_000L)
                    .containsEntry("t.i32", -2_000_000_000L)
                    .containsEntry("t.f32", 1e-5f)
                    .containsEntry("t.u64", new BigInteger("18446744073709551615"))
                    .containsEntry("t.i64", -(1L << 62))
                    .containsEntry("t.f64", 0.1)
                    .containsEntry("t.bool", true)
                    .containsEntry("t.string", "Grüße, 世界")
                    .containsEntry("t.strings", List.of("<s>", "ä", ""))
                    .containsEntry("t.ints", List.of(1L, -2L, 3L))
                    .containsEntry("t.floats", List.of(0.5f, -1.5f));
            assertThat(source.metadata()).containsEntry("t.u8", "200").doesNotContainKey("t.ints");
        }
    }

    @Test
    void read_typeWithoutDequantizer_namesTypeTensorAndWhatIsSupported() {
        try (GgufFile source = GgufFile.open(QUANTS)) {
            assertThat(source.info("unsupported").dtype()).isEqualTo("Q3_K");
            assertThatThrownBy(() -> source.read("unsupported"))
                    .isInstanceOf(LoricaException.Unsupported.class)
                    .hasMessageContainingAll("quants.gguf", "'unsupported'", "Q3_K", "Q4_K", "Q6_K");
        }
    }

    @Test
    void open_version2_readsTheSame(@TempDir Path directory) throws IOException {
        byte[] bytes = Files.readAllBytes(QUANTS);
        bytes[4] = 2;
        Path file = Files.write(directory.resolve("v2.gguf"), bytes);
        try (GgufFile old = GgufFile.open(file);
                GgufFile source = GgufFile.open(QUANTS)) {
            assertThat(old.version()).isEqualTo(2);
            assertThat(old.values()).isEqualTo(source.values());
            assertThat(old.names()).isEqualTo(source.names());
        }
    }
}
