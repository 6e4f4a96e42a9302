package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.lorica.model.BaseModel;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.SafetensorsFile;
import io.lorica.tensor.Scope;
import io.lorica.tensor.TensorSource;
import io.lorica.tensor.Tensors;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.SequencedMap;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LoralibFileTest {

    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    /** An adapter of PEFT under loralib's names. */
    private Path loralib(String peft) {
        Path file = folder.resolve("old.safetensors");
        try (Scope _ = Scope.open();
                TensorSource source =
                        SafetensorsFile.open(TinyModels.peft(peft).resolve("adapter_model.safetensors"))) {
            SequencedMap<String, Tensor> renamed = new LinkedHashMap<>();
            for (String name : source.names()) {
                String old = name.substring(Adapter.PREFIX.length());
                renamed.put(
                        old.contains(".lora_") ? old.substring(0, old.length() - ".weight".length()) : old,
                        source.read(name));
            }
            SafetensorsFile.write(file, renamed, Map.of());
        }
        return file;
    }

    @Test
    void convert_adapterUnderItsNames_computesWhatPeftComputes() {
        Path out = folder.resolve("new");
        LoralibFile.Conversion done = LoralibFile.convert(loralib("plain"), 8, "llama2", out);
        assertThat(done.rank()).isEqualTo(4);
        assertThat(done.sites()).isEqualTo(4);
        try (BaseModel model = TinyModels.open("llama2", DType.F32)) {
            float[] expected = adapted(model, TinyModels.peft("plain"));
            assertThat(adapted(model, out)).containsExactly(expected, within(1e-6F));
        }
    }

    private static float[] adapted(BaseModel model, Path adapter) {
        try (AdapterStack stack = new AdapterStack(model)) {
            stack.add("a", Adapter.load(model, adapter, LoadOptions.STRICT)).activate("a");
            return TinyModels.logits(model, TinyModels.PROMPT);
        }
    }

    @Test
    void convert_foreignTensors_areNamed() {
        Path file = folder.resolve("foreign.safetensors");
        try (Scope _ = Scope.open()) {
            SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
            tensors.put("q.lora_A", Tensors.zeros(DType.F32, 2, 3));
            tensors.put("norm.weight", Tensors.zeros(DType.F32, 3));
            SafetensorsFile.write(file, tensors, Map.of());
        }
        assertThatThrownBy(() -> LoralibFile.convert(file, 8, null, folder.resolve("new")))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("q.lora_A has no partner q.lora_B")
                .hasMessageContaining("norm.weight is neither");
    }

    @Test
    void convert_mergedLinear_isRefused() {
        Path file = folder.resolve("merged.safetensors");
        try (Scope _ = Scope.open()) {
            SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
            tensors.put("c_attn.lora_A", Tensors.zeros(DType.F32, 8, 6));
            tensors.put("c_attn.lora_B", Tensors.zeros(DType.F32, 12, 4));
            SafetensorsFile.write(file, tensors, Map.of());
        }
        assertThatThrownBy(() -> LoralibFile.convert(file, 8, null, folder.resolve("new")))
                .isInstanceOf(LoricaException.Unsupported.class)
                .hasMessageContaining("MergedLinear");
    }

    @Test
    void convert_publishedMnliAdapter_hasItsFiftyTensors() {
        Path file = Stream.of(System.getProperty("LORICA_DATA"), System.getenv("LORICA_DATA"), "../../shared/data")
                .filter(Objects::nonNull)
                .map(root -> Path.of(root, "weights", "roberta-base-lora-mnli", "lora.safetensors"))
                .filter(Files::isRegularFile)
                .findFirst()
                .orElse(Path.of("absent"));
        Assumptions.assumeTrue(
                Files.isRegularFile(file), "set LORICA_DATA to the folder of shared data to run this test");
        Path out = folder.resolve("mnli");
        LoralibFile.Conversion done = LoralibFile.convert(file, 16, "roberta-base", out);
        assertThat(done)
                .isEqualTo(new LoralibFile.Conversion(
                        24, 8, java.util.List.of("classifier.out_proj.bias", "classifier.out_proj.weight")));
        AdapterConfig config = AdapterConfig.read(out);
        assertThat(config.taskType()).isEqualTo("SEQ_CLS");
        try (TensorSource source = SafetensorsFile.open(out.resolve("adapter_model.safetensors"))) {
            assertThat(source.names())
                    .hasSize(50)
                    .contains("base_model.model.roberta.encoder.layer.11.attention.self.value.lora_B.weight");
        }
    }
}
