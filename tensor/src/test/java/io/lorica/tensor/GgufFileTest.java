package io.lorica.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GgufFileTest {
    @TempDir
    private Path directory;

    @Test
    void writeThenRead_tensorsAndTypedMetadata_comeBack() {
        Path file = directory.resolve("t.gguf");
        Map<String, Object> metadata = new LinkedHashMap<>();
        metadata.put("general.architecture", "llama");
        metadata.put("llama.block_count", 30);
        metadata.put("eps", 1e-5f);
        metadata.put("flag", true);
        metadata.put("tokens", List.of("a", "ö"));
        metadata.put("types", List.of(1, -3));
        metadata.put("big", 1L << 40);
        try (Scope _ = Scope.open()) {
            SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
            tensors.put("norm", Tensors.of(new float[] {0.1f, 2, 3}, 3));
            tensors.put("w", Tensors.of(new float[] {1, 2, 3, 4, 5, 6}, 2, 3));
            GgufFile.write(file, metadata, tensors, DType.F16);
            try (GgufFile source = GgufFile.open(file)) {
                assertThat(source.version()).isEqualTo(3);
                assertThat(source.values())
                        .containsEntry("general.architecture", "llama")
                        .containsEntry("llama.block_count", 30L)
                        .containsEntry("eps", 1e-5f)
                        .containsEntry("flag", true)
                        .containsEntry("tokens", List.of("a", "ö"))
                        .containsEntry("types", List.of(1L, -3L))
                        .containsEntry("big", 1L << 40);
                assertThat(source.names()).containsExactly("norm", "w");
                assertThat(source.info("norm").dtype()).isEqualTo("F32");
                assertThat(source.info("w").dtype()).isEqualTo("F16");
                assertThat(source.info("w").shape()).containsExactly(2, 3);
                assertThat(Tensors.floats(source.read("norm"))).containsExactly(0.1f, 2, 3);
                assertThat(Tensors.floats(source.read("w"))).containsExactly(1, 2, 3, 4, 5, 6);
            }
        }
    }
}
