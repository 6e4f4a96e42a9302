package io.lorica.server;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.lorica.serve.registry.AdapterRegistry;
import io.lorica.serve.registry.Locations;
import io.lorica.serve.registry.RegistryLink;
import io.lorica.server.access.Keys;
import java.io.IOException;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two servers on one registry, changed by requests to either. */
class SharedRegistryTest {
    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    private final Deque<AutoCloseable> opened = new ArrayDeque<>();

    @SuppressWarnings("NullAway.Init")
    private TestServer here;

    @SuppressWarnings("NullAway.Init")
    private TestServer there;

    @BeforeEach
    void start() throws IOException {
        Files.writeString(
                folder.resolve("keys.yaml"),
                "keys:\n  - {tenant: root, admin: true, sha256: %s}\n".formatted(Keys.hash("root-key")));
        here = server();
        there = server();
    }

    private <T extends AutoCloseable> T closing(T resource) {
        opened.push(resource);
        return resource;
    }

    private AdapterRegistry registry() {
        return closing(AdapterRegistry.open("sqlite:" + folder.resolve("registry.db")));
    }

    private TestServer server() {
        Locations locations = closing(new Locations(folder.resolve("cache"), Long.MAX_VALUE, Optional.empty()));
        return closing(new TestServer(
                folder.resolve("adapters"),
                options -> options.withKeys(Keys.read(folder.resolve("keys.yaml"))),
                store -> closing(RegistryLink.start(registry(), store, locations, Duration.ofMillis(50)))));
    }

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable resource : opened) {
            resource.close();
        }
    }

    private static HttpResponse<String> load(TestServer server) {
        return server.post("/v1/load_lora_adapter", "{'lora_name': 'fresh', 'lora_path': 'tone'}", "root-key");
    }

    private static boolean lists(TestServer server) {
        JsonNode models = TestServer.json(server.get("/v1/models", "root-key"));
        return models.findValuesAsText("id").contains("fresh");
    }

    private static void awaitListed(TestServer server, boolean listed) throws InterruptedException {
        long deadline = System.nanoTime() + Duration.ofSeconds(10).toNanos();
        while (lists(server) != listed) {
            assertThat(System.nanoTime()).as("waited 10 s").isLessThan(deadline);
            Thread.sleep(20);
        }
    }

    @Test
    void load_acknowledged_isInTheRegistryAndSoonAtTheOther() throws InterruptedException {
        assertThat(load(here).statusCode()).isEqualTo(200);
        assertThat(registry().find("fresh")).isPresent();
        awaitListed(there, true);
        assertThat(there.post(
                                "/v1/completions",
                                "{'model': 'fresh', 'prompt': 'The king', 'max_tokens': 3}",
                                "root-key")
                        .statusCode())
                .isEqualTo(200);
    }

    @Test
    void unload_atTheOther_leavesBoth() throws InterruptedException {
        load(here);
        HttpResponse<String> unloaded = there.post("/v1/unload_lora_adapter", "{'lora_name': 'fresh'}", "root-key");
        assertThat(unloaded.statusCode()).as(unloaded.body()).isEqualTo(200);
        assertThat(registry().list()).isEqualTo(List.of());
        awaitListed(here, false);
        awaitListed(there, false);
    }
}
