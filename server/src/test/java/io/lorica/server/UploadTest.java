package io.lorica.server;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.lorica.server.access.Keys;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Adapters that come as zips: served when they are well, gone without a trace when they are not. */
class UploadTest {
    private static final String CONFIG = "adapter_config.json";
    private static final String WEIGHTS = "adapter_model.safetensors";

    @TempDir
    private static Path folder;

    @SuppressWarnings("NullAway.Init")
    private static TestServer server;

    private static Path adapters() {
        return folder.resolve("adapters");
    }

    @BeforeAll
    static void start() throws IOException {
        Files.createDirectories(adapters());
        Path keys = Files.writeString(
                folder.resolve("keys.yaml"), """
                keys:
                  - {tenant: acme, sha256: %s}
                  - {tenant: root, sha256: %s, admin: true}
                """.formatted(Keys.hash("acme-key"), Keys.hash("root-key")));
        server = new TestServer(adapters(), options -> options.withKeys(Keys.read(keys)));
    }

    @AfterAll
    static void close() {
        server.close();
    }

    @AfterEach
    void leavesNothingBehind() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            assertThat(files.map(file -> file.getFileName().toString()))
                    .containsExactlyInAnyOrder("adapters", "keys.yaml");
        }
        try (Stream<Path> files = Files.list(adapters())) {
            assertThat(files.map(file -> file.getFileName().toString())).isSubsetOf("tone", "law", "fresh");
        }
    }

    /** The files of an adapter that fits, in a folder of the zip. */
    private static Map<String, byte[]> files(String prefix) throws IOException {
        Map<String, byte[]> files = new LinkedHashMap<>();
        for (String name : new String[] {CONFIG, WEIGHTS}) {
            files.put(
                    prefix + name, Files.readAllBytes(adapters().resolve("tone").resolve(name)));
        }
        return files;
    }

    private static byte[] zip(Map<String, byte[]> files) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ZipOutputStream out = new ZipOutputStream(bytes)) {
            for (Map.Entry<String, byte[]> file : files.entrySet()) {
                out.putNextEntry(new ZipEntry(file.getKey()));
                out.write(file.getValue());
            }
        }
        return bytes.toByteArray();
    }

    private static HttpResponse<String> send(String name, byte[] zip, String key) {
        return server.send(HttpRequest.newBuilder(server.uri("/v1/lorica/adapters/" + name))
                .header("Authorization", "Bearer " + key)
                .header("Content-Type", "application/zip")
                .POST(HttpRequest.BodyPublishers.ofByteArray(zip))
                .build());
    }

    private static void assertRefused(HttpResponse<String> response, int status, String part) {
        assertThat(response.statusCode()).as(response.body()).isEqualTo(status);
        assertThat(TestServer.json(response).at("/error/message").asText()).contains(part);
    }

    private static JsonNode answer(String model) {
        return TestServer.json(server.post(
                        "/v1/completions",
                        "{'model': '" + model + "', 'prompt': 'The king', 'max_tokens': 8, 'temperature': 0}",
                        "root-key"))
                .at("/choices/0/text");
    }

    @Test
    void zip_ofAFolder_isServedAsThatAdapter() throws IOException {
        Map<String, byte[]> files = files("some/where/");
        files.put("some/where/optimizer.pt", new byte[10]);
        files.put("__MACOSX/some/where/._" + CONFIG, new byte[10]);
        HttpResponse<String> response = send("fresh", zip(files), "root-key");
        assertThat(response.statusCode()).as(response.body()).isEqualTo(201);
        assertThat(answer("fresh")).isEqualTo(answer("tone"));
        try (Stream<Path> stored = Files.list(adapters().resolve("fresh"))) {
            assertThat(stored.map(file -> file.getFileName().toString())).containsExactlyInAnyOrder(CONFIG, WEIGHTS);
        }
    }

    @Test
    void zip_ofOthers_isForbidden() throws IOException {
        assertRefused(send("stranger", zip(files("")), "acme-key"), 403, "admin");
    }

    @ParameterizedTest
    @ValueSource(strings = {"tone", "lorica-tiny"})
    void name_taken_isRefused(String name) throws IOException {
        assertRefused(send(name, zip(files("")), "root-key"), 400, "choose another");
    }

    /** Without a body: some of these are refused before anything is read, and the connection closed on it. */
    @ParameterizedTest
    @ValueSource(strings = {".hidden", "..%2Foutside", "a%2Fb", "%2e%2e", "a%00b"})
    void name_leadingOut_isRefused(String name) {
        HttpResponse<String> response = send(name, new byte[0], "root-key");
        assertThat(response.statusCode()).as(response.body()).isBetween(400, 405);
        assertThat(response.body()).doesNotContain("no body");
    }

    @ParameterizedTest
    @ValueSource(strings = {"../evil.json", "/tmp/evil.json", "a/../../evil.json", "..\\evil.json", "C:\\evil", ".."})
    void entry_leadingOut_isRefused(String entry) throws IOException {
        Map<String, byte[]> files = files("");
        files.put(entry, "{}".getBytes(UTF_8));
        assertRefused(send("evil", zip(files), "root-key"), 400, "leads out of its folder");
    }

    @Test
    void bomb_isStoppedAtTheLimit() throws IOException {
        Map<String, byte[]> files = files("");
        files.put(WEIGHTS, new byte[(128 << 20) + 1]); // twice the store's 64 MiB are the limit
        byte[] zip = zip(files);
        assertThat(zip.length).isLessThan(1 << 20);
        assertRefused(send("bomb", zip, "root-key"), 413, "larger than the 128");
    }

    @Test
    void noZip_isRefused() {
        assertRefused(send("none", "no zip at all".getBytes(UTF_8), "root-key"), 400, "no zip");
        assertRefused(send("none", new byte[0], "root-key"), 400, "no body");
        assertRefused(server.post("/v1/lorica/adapters/none", "{}", "root-key"), 400, "no zip");
    }

    @Test
    void zip_cutShort_isRefused() throws IOException {
        byte[] zip = zip(files(""));
        assertRefused(send("short", Arrays.copyOf(zip, zip.length / 2), "root-key"), 400, "no zip");
    }

    @Test
    void zip_withFlippedByte_isRefused() throws IOException {
        byte[] zip = zip(files(""));
        zip[zip.length / 2] ^= 1;
        assertRefused(send("flipped", zip, "root-key"), 400, "damaged");
    }

    @Test
    void zip_ofNoOrTwoAdapters_isRefused() throws IOException {
        assertRefused(send("two", zip(Map.of("readme", new byte[1])), "root-key"), 400, "holds 0 files");
        Map<String, byte[]> files = files("a/");
        files.putAll(files("b/"));
        assertRefused(send("two", zip(files), "root-key"), 400, "holds 2 files");
    }

    @Test
    void adapter_forAnotherBase_isRefusedAndForgotten() throws IOException {
        Path peft = Path.of("..", "adapter", "src", "test", "resources", "peft", "plain");
        Map<String, byte[]> files = Map.of(
                CONFIG, Files.readAllBytes(peft.resolve(CONFIG)), WEIGHTS, Files.readAllBytes(peft.resolve(WEIGHTS)));
        HttpResponse<String> response = send("foreign", zip(files), "root-key");
        assertThat(response.statusCode()).as(response.body()).isBetween(400, 422);
        assertThat(server.get("/v1/lorica/adapters", "root-key").body()).doesNotContain("foreign");
    }
}
