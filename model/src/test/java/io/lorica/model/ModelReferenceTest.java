package io.lorica.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ModelReferenceTest {
    private static final Catalogue CATALOGUE = Catalogue.standard();

    @TempDir
    Path directory;

    private static ModelReference parse(Object reference) {
        return ModelReference.parse(reference.toString(), CATALOGUE);
    }

    @Test
    void parse_catalogueName_isTheEntry() {
        assertThat(parse("minilm-l6-v2"))
                .isEqualTo(
                        new ModelReference.Named(CATALOGUE.find("minilm-l6-v2").orElseThrow()));
    }

    @Test
    void parse_directoryWithConfig_isADirectory() throws IOException {
        Files.writeString(directory.resolve("config.json"), "{}");
        assertThat(parse(directory)).isEqualTo(new ModelReference.Directory(directory));
    }

    @Test
    void parse_directoryWithGgufOnly_namesTheFile() throws IOException {
        Files.writeString(directory.resolve("weights.gguf"), "GGUF");
        assertThatThrownBy(() -> parse(directory))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("holds no config.json")
                .hasMessageContaining(directory.resolve("weights.gguf").toString());
    }

    @Test
    void parse_directoryOfAnAdapter_pointsToTheOption() throws IOException {
        Files.writeString(directory.resolve("adapter_config.json"), "{}");
        assertThatThrownBy(() -> parse(directory)).hasMessageContaining("--adapter");
    }

    @Test
    void parse_fileWithTheMagic_isGguf() throws IOException {
        Path file = Files.writeString(directory.resolve("anything.bin"), "GGUF...");
        assertThat(parse(file)).isEqualTo(new ModelReference.Gguf(file));
    }

    @Test
    void parse_otherFile_isRefused() throws IOException {
        Path file = Files.writeString(directory.resolve("model.gguf"), "PK");
        assertThatThrownBy(() -> parse(file))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("is not GGUF");
    }

    @ParameterizedTest
    @ValueSource(strings = {"./absent", "/absent/model", "absent.gguf", "a/b/c", "../x"})
    void parse_absentPath_isNotTakenForAHubId(String reference) {
        assertThatThrownBy(() -> parse(reference))
                .isInstanceOf(LoricaException.NotFound.class)
                .hasMessageContaining("no such file or directory");
    }

    @Test
    void parse_ownerAndName_isTheHubsMainBranch() {
        assertThat(parse("HuggingFaceTB/SmolLM2-135M"))
                .isEqualTo(new ModelReference.Hub("HuggingFaceTB/SmolLM2-135M", "main"));
    }

    @Test
    void parse_hubIdWithRevision_keepsTheRevision() {
        assertThat(parse("owner/name@refs/pr/3")).isEqualTo(new ModelReference.Hub("owner/name", "refs/pr/3"));
    }

    @Test
    void parse_misspeltName_suggestsTheNearest() {
        assertThatThrownBy(() -> parse("smolm2-135m-instruct"))
                .isInstanceOf(LoricaException.NotFound.class)
                .hasMessageContaining("did you mean 'smollm2-135m-instruct'?");
    }

    @Test
    void parse_blank_listsTheKinds() {
        assertThatThrownBy(() -> parse(" ")).hasMessageContaining("owner/name");
    }
}
