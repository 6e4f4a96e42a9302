package io.lorica.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class MemoryTest {
    @ParameterizedTest
    @CsvSource({
        "6GiB, 6442450944",
        "512 MiB, 536870912",
        "1.5g, 1610612736",
        "8GB, 8000000000",
        "10kB, 10000",
        "2k, 2048",
        "0, 0",
        "1048576, 1048576",
        " 7 b , 7",
        "0.1KiB, 102"
    })
    void parse_sizes_areBytes(String text, long bytes) {
        assertThat(Memory.parse(text)).isEqualTo(bytes);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "GiB", "-1GiB", "6 gigs", "1e9", "1,5GiB", "0x10"})
    void parse_otherText_isRefusedWithAnExample(String text) {
        assertThatThrownBy(() -> Memory.parse(text))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContainingAll("'" + text + "'", "6GiB");
    }

    @Test
    void parse_moreThan63Bits_isRefused() {
        assertThatThrownBy(() -> Memory.parse("99999999999TiB")).hasMessageContaining("63 bits");
    }

    @ParameterizedTest
    @CsvSource({
        "0, 0 B",
        "1023, 1023 B",
        "1024, 1 KiB",
        "1536, 1.5 KiB",
        "1610612736, 1.5 GiB",
        "12582912, 12 MiB",
        "1048064, 1 MiB",
        "10188, 9.9 KiB",
        "10200, 10 KiB",
        "-1536, -1.5 KiB",
        "9223372036854775807, 8 EiB"
    })
    void format_bytes_isShortAndReadable(long bytes, String text) {
        assertThat(Memory.format(bytes)).isEqualTo(text);
    }

    @Test
    void resident_afterFillingATensor_growsByItsBytes() {
        Assumptions.assumeTrue(Files.exists(Path.of("/proc/self/status")), "needs Linux's /proc");
        long before = Memory.resident().orElseThrow();
        try (Scope _ = Scope.open()) {
            Tensors.ones(DType.F32, 64 << 20); // 256 MiB
            long grown = Memory.resident().orElseThrow() - before;
            assertThat(grown).isBetween(200L << 20, 320L << 20);
        }
        assertThat(Memory.peak().orElseThrow()).isGreaterThan(before + (200L << 20));
    }

    @Test
    void resident_ofAProcessThatIsNotThere_isAbsent() {
        assertThat(Memory.resident(999_999_999L)).isEmpty();
        assertThat(Memory.peak(999_999_999L)).isEmpty();
    }
}
