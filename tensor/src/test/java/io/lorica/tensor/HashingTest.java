package io.lorica.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HashingTest {
    /** {@code printf abc | sha256sum}, also the first example of FIPS 180-4. */
    private static final String ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    @Test
    void sha256_ofTextAndFile_isTheStandardDigest(@TempDir Path directory) throws IOException {
        assertThat(Hashing.sha256("abc")).isEqualTo(ABC);
        assertThat(Hashing.sha256(Files.writeString(directory.resolve("f"), "abc")))
                .isEqualTo(ABC);
    }

    @Test
    void sha256_ofALargeFile_equalsThatOfTheTensorWithItsBytes(@TempDir Path directory) throws IOException {
        byte[] bytes = new byte[20 << 20];
        new java.util.Random(1).nextBytes(bytes);
        Path file = Files.write(directory.resolve("f"), bytes);
        try (MappedFile mapped = MappedFile.open(file);
                Scope _ = Scope.open()) {
            Tensor tensor = mapped.view(0, DType.F32, new long[] {5, 1 << 20});
            assertThat(Hashing.sha256(tensor)).isEqualTo(Hashing.sha256(file));
        }
    }

    @Test
    void sha256_ofATransposedTensor_followsItsElementsNotItsStorage() {
        try (Scope _ = Scope.open()) {
            Tensor transposed = Tensors.of(new float[] {1, 2, 3, 4}, 2, 2).t();
            assertThat(Hashing.sha256(transposed))
                    .isEqualTo(Hashing.sha256(Tensors.of(new float[] {1, 3, 2, 4}, 2, 2)));
        }
    }

    @Test
    void add_sameBytesOtherwiseDivided_differs() {
        try (Scope _ = Scope.open()) {
            Tensor flat = Tensors.of(new float[] {1, 2, 3, 4}, 4);
            String base = new Hashing().add("w").add(flat).hex();
            assertThat(new Hashing().add("w").add(flat).hex()).isEqualTo(base);
            assertThat(new Hashing().add("w").add(flat.view(2, 2)).hex()).isNotEqualTo(base);
            assertThat(new Hashing()
                            .add("w")
                            .add(flat.view(DType.I32.scalarType()))
                            .hex())
                    .isNotEqualTo(base);
            assertThat(new Hashing().add("ab").add("c").hex())
                    .isNotEqualTo(new Hashing().add("a").add("bc").hex());
        }
    }

    @Test
    void sha256_ofAMissingFile_saysSo(@TempDir Path directory) {
        assertThatThrownBy(() -> Hashing.sha256(directory.resolve("none")))
                .isInstanceOf(LoricaException.NotFound.class);
    }
}
