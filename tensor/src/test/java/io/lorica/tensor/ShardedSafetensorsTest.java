package io.lorica.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ShardedSafetensorsTest {
    @TempDir
    private Path directory;

    private Path index;

    @BeforeEach
    void writeShards() {
        index = directory.resolve("model.safetensors.index.json");
        writeShard("one.safetensors", "a", 1);
        writeShard("two.safetensors", "b", 2);
    }

    private void writeShard(String file, String name, float value) {
        try (Scope _ = Scope.open()) {
            SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
            tensors.put(name, Tensors.of(new float[] {value}, 1));
            SafetensorsFile.write(directory.resolve(file), tensors, Map.of("format", "pt"));
        }
    }

    @Test
    void open_twoShards_readsEachTensorFromItsShard() throws IOException {
        writeIndex("""
                {"metadata":{"total_size":8},"weight_map":{"b":"two.safetensors","a":"one.safetensors"}}""");
        try (Scope _ = Scope.open();
                TensorSource source = ShardedSafetensors.open(index)) {
            assertThat(source.names()).containsExactly("b", "a");
            assertThat(Tensors.floats(source.read("a"))).containsExactly(1);
            assertThat(Tensors.floats(source.read("b"))).containsExactly(2);
            assertThat(source.info("b").bytes()).isEqualTo(4);
            assertThat(source.metadata()).containsEntry("total_size", "8").containsEntry("format", "pt");
        }
    }

    @Test
    void openModel_directory_takesTheSingleFileBeforeTheIndex() throws IOException {
        writeIndex("""
                {"weight_map":{"b":"two.safetensors"}}""");
        try (TensorSource source = TensorFiles.openModel(directory)) {
            assertThat(source.names()).containsExactly("b");
        }
        writeShard("model.safetensors", "whole", 3);
        try (TensorSource source = TensorFiles.openModel(directory)) {
            assertThat(source.names()).containsExactly("whole");
        }
    }

    @Test
    void openModel_pickleOrNothing_saysWhatToDo() throws IOException {
        assertThatThrownBy(() -> TensorFiles.openModel(directory))
                .isInstanceOf(LoricaException.NotFound.class)
                .hasMessageContaining("model.safetensors.index.json");
        Files.writeString(directory.resolve("pytorch_model.bin"), "x");
        assertThatThrownBy(() -> TensorFiles.openModel(directory))
                .isInstanceOf(LoricaException.Unsupported.class)
                .hasMessageContaining("save the model as safetensors");
    }

    @Test
    void open_missingShards_namesAllOfThem() throws IOException {
        writeIndex("""
                {"weight_map":{"a":"x.safetensors","b":"y.safetensors"}}""");
        assertRefused("'x.safetensors' does not exist", "'y.safetensors' does not exist");
    }

    @Test
    void open_tensorThatTheShardLacks_isRefused() throws IOException {
        writeIndex("""
                {"weight_map":{"a":"one.safetensors","c":"two.safetensors"}}""");
        assertRefused("tensor 'c' is not in two.safetensors");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "../one.safetensors",
                "/etc/one.safetensors",
                "sub/one.safetensors",
                "..\\\\one.safetensors",
                "C:one.safetensors",
                "one.safetensors\\u0000",
                "weights.bin",
                ""
            })
    void open_shardNameThatLeavesTheDirectory_isRefused(String shard) throws IOException {
        writeIndex("{\"weight_map\":{\"a\":\"" + shard + "\"}}");
        assertRefused("is not a plain file name ending in .safetensors");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "[]", "{}", "{\"weight_map\":[]}", "{\"weight_map\":{}}"})
    void open_indexWithoutWeightMap_isRefused(String json) throws IOException {
        writeIndex(json);
        assertRefused("has no weight_map");
    }

    @Test
    void open_brokenJsonOrDuplicateKey_isRefused() throws IOException {
        writeIndex("{");
        assertRefused("is not valid JSON");
        writeIndex("{\"weight_map\":{\"a\":\"one.safetensors\",\"a\":\"two.safetensors\"}}");
        assertRefused("Duplicate field");
        writeIndex("{\"weight_map\":{\"a\":1}}");
        assertRefused("weight_map.'a' is not the name of a file");
    }

    private void assertRefused(String... reasons) {
        assertThatThrownBy(() -> ShardedSafetensors.open(index).close())
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageStartingWith(index.toString())
                .hasMessageContainingAll(reasons);
    }

    private void writeIndex(String json) throws IOException {
        Files.writeString(index, json);
    }
}
