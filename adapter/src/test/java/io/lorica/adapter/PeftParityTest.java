package io.lorica.adapter;

import static org.assertj.core.api.Assertions.assertThat;

import io.lorica.model.BaseModel;
import io.lorica.tensor.DType;
import io.lorica.tensor.SafetensorsFile;
import io.lorica.tensor.Scope;
import io.lorica.tensor.TensorSource;
import io.lorica.tensor.Tensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Adapters written by PEFT 0.21.2 (make_adapter_fixtures.py and its siblings in bench/peers) compute here what they compute there. */
class PeftParityTest {

    private record Expected(long[] ids, float[] base, float[] adapted) {
        static Expected of(Path directory) {
            try (Scope _ = Scope.open();
                    TensorSource source = SafetensorsFile.open(directory.resolve("expected.safetensors"))) {
                return new Expected(
                        Tensors.longs(source.read("ids")),
                        Tensors.floats(source.read("base")),
                        Tensors.floats(source.read("adapted")));
            }
        }
    }

    static List<String> fixtures() throws IOException {
        try (Stream<Path> directories = Files.list(TinyModels.peft(""))) {
            return directories
                    .map(path -> path.getFileName().toString())
                    .sorted()
                    .toList();
        }
    }

    @ParameterizedTest
    @MethodSource("fixtures")
    void load_writtenByPeft_sameLogitsAndSameKeysWhenSaved(String name, @TempDir Path out) throws IOException {
        Path directory = TinyModels.peft(name);
        Expected expected = Expected.of(directory);
        String base = Files.readString(directory.resolve("base.txt")).strip();
        try (BaseModel model = TinyModels.open(base, DType.F32);
                AdapterStack stack = new AdapterStack(model)) {
            Adapter adapter = Adapter.load(model, directory, LoadOptions.STRICT);
            stack.add("peft", adapter);
            assertThat(TinyModels.difference(TinyModels.logits(model, expected.ids()), expected.base()))
                    .as("base")
                    .isLessThan(1e-4);
            stack.activate("peft");
            assertThat(TinyModels.difference(TinyModels.logits(model, expected.ids()), expected.adapted()))
                    .as("adapted")
                    .isLessThan(1e-4);
            stack.disable();
            assertThat(TinyModels.difference(TinyModels.logits(model, expected.ids()), expected.base()))
                    .as("disabled")
                    .isLessThan(1e-4);
            assertThat(adapter.coverage().orElseThrow().full()).isTrue();

            adapter.save(out);
            stack.add("again", Adapter.load(model, out, LoadOptions.STRICT));
            stack.activate("again");
            assertThat(TinyModels.difference(TinyModels.logits(model, expected.ids()), expected.adapted()))
                    .as("saved and loaded")
                    .isLessThan(1e-4);
        }
        if (!name.matches("olora|pissa.*")) { // read as PEFT wrote them, saved on the unchanged base
            assertThat(contents(out)).isEqualTo(contents(directory));
        }
    }

    private static boolean copy(String name, TensorSource source) {
        String original = "base_model." + name.substring(name.lastIndexOf('.') + 1);
        return !name.equals(original) && source.names().contains(original);
    }

    /** Keys with shapes; PEFT's copies of the base's embedding and of shared tensors are left out, as Lorica does. */
    private static java.util.Map<String, String> contents(Path directory) {
        TreeMap<String, String> contents = new TreeMap<>();
        try (TensorSource source = SafetensorsFile.open(directory.resolve("adapter_model.safetensors"))) {
            source.names().stream()
                    .filter(name -> !name.endsWith("base_layer.weight") && !copy(name, source))
                    .forEach(name -> contents.put(
                            name, java.util.Arrays.toString(source.info(name).shape())));
        }
        return contents;
    }
}
