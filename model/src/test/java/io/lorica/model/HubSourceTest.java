package io.lorica.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.tensor.Hashing;
import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HubSourceTest {
    private static final String WEIGHTS = "0123456789".repeat(2000);

    @TempDir
    Path home;

    private final FakeHub hub = new FakeHub();
    private final List<String> notes = new ArrayList<>();

    @BeforeEach
    void fill() {
        hub.files.put("config.json", bytes("{}"));
        hub.files.put("model.safetensors", bytes(WEIGHTS));
        hub.files.put("pytorch_model.bin", bytes("pickle"));
        hub.files.put("onnx/model.onnx", bytes("onnx"));
        hub.hashes.put("model.safetensors", Hashing.sha256(WEIGHTS));
    }

    @AfterEach
    void stop() {
        hub.close();
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private HubSource source() {
        HubClient client = new HubClient(Map.of("HF_ENDPOINT", hub.address(), "HF_TOKEN", "secret"));
        return new HubSource("owner/tiny", "main", home, client, false);
    }

    private Path snapshot() {
        return home.resolve("hub/owner--tiny/snapshots/" + FakeHub.COMMIT);
    }

    @Test
    void fetch_wholeRepository_bringsConfigAndSafetensorsAndNoPickle() throws IOException {
        Path directory = source().fetch(notes::add);
        try (var files = Files.list(directory)) {
            assertThat(files.map(Path::getFileName).map(Path::toString))
                    .containsExactlyInAnyOrder("config.json", "model.safetensors");
        }
        assertThat(directory.resolve("model.safetensors")).hasContent(WEIGHTS);
    }

    @Test
    void cached_afterAFetch_asksNobody() {
        source().fetch(notes::add);
        hub.hubRequests.clear();
        assertThat(source().cached()).contains(snapshot());
        assertThat(hub.hubRequests).isEmpty();
    }

    @Test
    void cached_beforeAnyFetch_isEmpty() {
        assertThat(source().cached()).isEmpty();
    }

    @Test
    void fetch_connectionCut_goesOnWhereItStopped() {
        hub.cuts.put("model.safetensors", 7000);
        Path directory = source().fetch(notes::add);
        assertThat(directory.resolve("model.safetensors")).hasContent(WEIGHTS);
        assertThat(hub.storeRequests).hasSize(2);
        assertThat(hub.storeRequests.get(1)).matches("model.safetensors range=bytes=[1-9]\\d*- .*");
        assertThat(notes).anyMatch(note -> note.contains("going on from there"));
    }

    @Test
    void fetch_partialFileOfAnEarlierRun_isContinued() throws IOException {
        Files.createDirectories(snapshot());
        Files.writeString(snapshot().resolve("model.safetensors.partial"), WEIGHTS.substring(0, 5000));
        source().fetch(notes::add);
        assertThat(hub.storeRequests).singleElement().asString().contains("range=bytes=5000-");
        assertThat(snapshot().resolve("model.safetensors")).hasContent(WEIGHTS);
    }

    @Test
    void fetch_partialFileThatIsWholeAlready_isTakenAfterItsHash() throws IOException {
        Files.createDirectories(snapshot());
        Files.writeString(snapshot().resolve("model.safetensors.partial"), WEIGHTS);
        source().fetch(notes::add);
        assertThat(snapshot().resolve("model.safetensors")).hasContent(WEIGHTS);
    }

    @Test
    void fetch_wrongHash_isRefusedAndRemoved() {
        hub.hashes.put("model.safetensors", Hashing.sha256("other"));
        assertThatThrownBy(() -> source().fetch(notes::add))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("has SHA-256 " + Hashing.sha256(WEIGHTS))
                .hasMessageContaining("the hub says " + Hashing.sha256("other"));
        assertThat(snapshot().resolve("model.safetensors")).doesNotExist();
        assertThat(snapshot().resolve("model.safetensors.partial")).doesNotExist();
        assertThat(source().cached()).isEmpty();
    }

    @Test
    void fetch_redirected_keepsTheTokenFromTheOtherServer() {
        source().fetch(notes::add);
        assertThat(hub.hubRequests).allMatch(request -> request.endsWith("authorization=Bearer secret"));
        assertThat(hub.storeRequests).isNotEmpty().allMatch(request -> request.endsWith("authorization=null"));
    }

    @Test
    void fetch_unauthorized_saysWhatToDoAboutTheToken() {
        hub.apiStatus = 401;
        assertThatThrownBy(() -> source().fetch(notes::add))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("401")
                .hasMessageContaining("HF_TOKEN");
    }

    @Test
    void fetch_unknownRepository_isNotFound() {
        hub.apiStatus = 404;
        assertThatThrownBy(() -> source().fetch(notes::add))
                .isInstanceOf(LoricaException.NotFound.class)
                .hasMessageContaining("no such repository");
    }

    @Test
    void fetch_onlyPickledWeights_isRefusedBeforeAnyDownload() {
        hub.files.remove("model.safetensors");
        assertThatThrownBy(() -> source().fetch(notes::add))
                .isInstanceOf(LoricaException.Unsupported.class)
                .hasMessageContaining("no safetensors");
        assertThat(hub.hubRequests).hasSize(1);
    }

    @Test
    void fetch_nobodyListens_failsWithinSeconds() {
        hub.close();
        long start = System.nanoTime();
        assertThatThrownBy(() -> source().fetch(notes::add))
                .isInstanceOf(LoricaException.Busy.class)
                .hasMessageContaining("is not reachable");
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(4));
    }

    @Test
    void fetch_forbiddenByTheEnvironment_asksNobody() {
        HubClient client = new HubClient(Map.of("HF_ENDPOINT", hub.address()));
        assertThatThrownBy(() -> new HubSource("owner/tiny", "main", home, client, true).fetch(notes::add))
                .hasMessageContaining("HF_HUB_OFFLINE");
        assertThat(hub.hubRequests).isEmpty();
    }
}
