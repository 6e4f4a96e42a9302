package io.lorica.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Scope;
import io.lorica.tensor.TensorSource;
import io.lorica.tensor.Tensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelExportTest {
    @TempDir
    Path temporary;

    private static ModelFiles fixture() {
        return ModelFiles.open(Fixture.named("smollm2").directory());
    }

    private Path out() {
        return temporary.resolve("out");
    }

    private static List<String> different(ModelFiles left, ModelFiles right) {
        try (TensorSource one = left.tensors();
                TensorSource other = right.tensors();
                Scope _ = Scope.open()) {
            assertThat(other.names()).containsExactlyInAnyOrderElementsOf(one.names());
            List<String> different = new ArrayList<>();
            for (String name : one.names()) {
                if (Tensors.maxDifference(one.read(name), other.read(name)) != 0) {
                    different.add(name);
                }
            }
            return different;
        }
    }

    @Test
    void toDirectory_float32_keepsEveryBit() {
        ModelExport.toDirectory(fixture(), out(), DType.F32);
        assertThat(different(fixture(), ModelFiles.open(out()))).isEmpty();
    }

    @Test
    void toDirectory_bfloat16_writesThatTypeAndSaysSo() {
        ModelExport.toDirectory(fixture(), out(), DType.BF16);
        ModelFiles written = ModelFiles.open(out());
        try (TensorSource tensors = written.tensors()) {
            assertThat(tensors.names())
                    .allMatch(name -> tensors.info(name).dtype().equals("BF16"));
        }
        assertThat(written.config().text("torch_dtype")).isEqualTo("bfloat16");
    }

    @Test
    void toDirectory_aboveTheShardSize_writesShardsWithAnIndex() throws IOException {
        ModelExport.toDirectory(fixture(), out(), DType.F32, 30_000);
        try (var files = Files.list(out())) {
            assertThat(files.map(file -> file.getFileName().toString()))
                    .contains("model.safetensors.index.json", "model-00001-of-00003.safetensors")
                    .doesNotContain("model.safetensors");
        }
        assertThat(different(fixture(), ModelFiles.open(out()))).isEmpty();
    }

    @Test
    void toDirectory_tokenizerFilesBesideTheWeights_areCopied() throws IOException {
        Path source = temporary.resolve("source");
        ModelExport.toDirectory(fixture(), source, DType.F32);
        for (String file : List.of("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")) {
            Files.writeString(source.resolve(file), file);
        }
        Files.writeString(source.resolve("generation_config.json"), "{\"eos_token_id\": 2}");
        ModelExport.toDirectory(ModelFiles.open(source), out(), DType.F32);
        assertThat(out().resolve("tokenizer.json")).hasContent("tokenizer.json");
        assertThat(out().resolve("chat_template.jinja")).hasContent("chat_template.jinja");
        assertThat(ModelFiles.open(out()).generation().path("eos_token_id").asInt())
                .isEqualTo(2);
    }

    @Test
    void toDirectory_loadedModelWithAnOverride_writesTheValueInForce() {
        ModelStore store = new ModelStore(temporary, Catalogue.standard(), Map.of(), FetchListener.silent());
        String reference = Fixture.named("smollm2").directory().toString();
        try (Pretrained pretrained = store.open(reference, DType.F32);
                Scope _ = Scope.open()) {
            Parameter parameter = pretrained.model().parameters().firstEntry().getValue();
            parameter.override(Tensors.zeros(DType.F32, Tensors.shape(parameter.frozen())));
            ModelExport.toDirectory(pretrained, out(), DType.F32);
            parameter.restore();
            assertThat(different(fixture(), ModelFiles.open(out()))).containsExactly(parameter.name());
        }
    }

    @Test
    void toDirectory_directoryInUse_isRefused() throws IOException {
        Files.createDirectories(out());
        Files.writeString(out().resolve("notes.txt"), "mine");
        assertThatThrownBy(() -> ModelExport.toDirectory(fixture(), out(), DType.F32))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("is not empty");
    }

    @Test
    void toDirectory_integerType_isRefused() {
        assertThatThrownBy(() -> ModelExport.toDirectory(fixture(), out(), DType.I8))
                .isInstanceOf(LoricaException.BadInput.class);
    }
}
