package io.lorica.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class SafetensorsFileTest {
    @TempDir
    private Path directory;

    @ParameterizedTest
    @EnumSource(DType.class)
    void writeThenRead_everyType_isBitEqual(DType type) {
        Path file = directory.resolve("t.safetensors");
        try (Scope _ = Scope.open()) {
            Tensor bytes = torch.randint(0, type == DType.BOOL ? 2 : 256, new long[] {6L * type.bytes()})
                    .to(DType.U8.scalarType());
            Tensor tensor = bytes.view(type.scalarType()).view(2, 3);
            SafetensorsFile.write(file, one("w", tensor), Map.of("format", "pt"));
            try (TensorSource source = SafetensorsFile.open(file)) {
                Tensor read = source.read("w");
                assertThat(DType.of(read)).isEqualTo(type);
                assertThat(Tensors.shape(read)).containsExactly(2, 3);
                assertThat(Hashing.sha256(read)).isEqualTo(Hashing.sha256(bytes));
                assertThat(source.metadata()).containsExactly(Map.entry("format", "pt"));
                assertThat(source.info("w")).satisfies(info -> {
                    assertThat(info.dtype()).isEqualTo(type.name());
                    assertThat(info.bytes()).isEqualTo(6L * type.bytes());
                });
            }
        }
    }

    @Test
    void write_transposedScalarAndEmptyTensors_keepsShapeAndValues() {
        Path file = directory.resolve("t.safetensors");
        try (Scope _ = Scope.open()) {
            SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
            tensors.put(
                    "transposed",
                    Tensors.of(new float[] {1, 2, 3, 4, 5, 6}, 2, 3).t());
            tensors.put("scalar", Tensors.of(new float[] {7}, new long[0]));
            tensors.put("empty", Tensors.zeros(DType.F32, 0, 4));
            SafetensorsFile.write(file, tensors, Map.of());
            try (TensorSource source = SafetensorsFile.open(file)) {
                assertThat(Tensors.floats(source.read("transposed"))).containsExactly(1, 4, 2, 5, 3, 6);
                assertThat(Tensors.shape(source.read("scalar"))).isEmpty();
                assertThat(Tensors.floats(source.read("scalar"))).containsExactly(7);
                assertThat(Tensors.shape(source.read("empty"))).containsExactly(0, 4);
                assertThat(source.metadata()).isEmpty();
            }
        }
    }

    @Test
    void write_tensorsOfTheReferenceFile_givesTheSameBytes() throws IOException {
        Path reference = Fixtures.file("types.safetensors");
        Path file = directory.resolve("t.safetensors");
        try (Scope _ = Scope.open();
                TensorSource source = SafetensorsFile.open(reference)) {
            SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
            source.names().reversed().forEach(name -> tensors.put(name, source.read(name)));
            assertThat(tensors).hasSize(20);
            SafetensorsFile.write(file, tensors, source.metadata());
        }
        assertThat(file).hasSameBinaryContentAs(reference);
    }

    @Test
    void write_reservedName_isRefusedAndNothingIsWritten() {
        Path file = directory.resolve("t.safetensors");
        try (Scope _ = Scope.open()) {
            assertThatThrownBy(() ->
                            SafetensorsFile.write(file, one("__metadata__", Tensors.zeros(DType.F32, 1)), Map.of()))
                    .isInstanceOf(LoricaException.BadInput.class)
                    .hasMessageContaining("'__metadata__' cannot be the name");
        }
        assertThat(directory).isEmptyDirectory();
    }

    /** The reference puts odd-sized types last; other writers may not, so readers copy what is not aligned. */
    @Test
    void read_misalignedTensor_givesItsValues() throws IOException {
        String header = """
                {"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"f":{"dtype":"F32","shape":[2],"data_offsets":[1,9]}}""";
        ByteBuffer bytes = ByteBuffer.allocate(8 + header.length() + 9).order(ByteOrder.LITTLE_ENDIAN);
        bytes.putLong(header.length()).put(header.getBytes(StandardCharsets.US_ASCII));
        bytes.put((byte) 5).putFloat(1.5f).putFloat(-2);
        Path file = Files.write(directory.resolve("t.safetensors"), bytes.array());
        try (Scope _ = Scope.open();
                TensorSource source = SafetensorsFile.open(file)) {
            assertThat(Tensors.floats(source.read("f"))).containsExactly(1.5f, -2);
        }
    }

    @Test
    void read_unknownName_suggestsTheNearest() {
        Path file = directory.resolve("t.safetensors");
        try (Scope _ = Scope.open()) {
            SafetensorsFile.write(file, one("lm_head.weight", Tensors.zeros(DType.F32, 1)), Map.of());
            try (TensorSource source = SafetensorsFile.open(file)) {
                assertThatThrownBy(() -> source.read("lm_haed.weight"))
                        .isInstanceOf(LoricaException.NotFound.class)
                        .hasMessageContaining("did you mean 'lm_head.weight'?");
            }
        }
    }

    @Test
    void read_afterClose_throwsInsteadOfCrashing() {
        Path file = directory.resolve("t.safetensors");
        try (Scope _ = Scope.open()) {
            SafetensorsFile.write(file, one("w", Tensors.zeros(DType.F32, 1)), Map.of());
            TensorSource source = SafetensorsFile.open(file);
            source.close();
            source.close();
            assertThatThrownBy(() -> source.read("w")).hasMessageContaining("after it was closed");
        }
    }

    private static SequencedMap<String, Tensor> one(String name, Tensor tensor) {
        SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
        tensors.put(name, tensor);
        return tensors;
    }
}
