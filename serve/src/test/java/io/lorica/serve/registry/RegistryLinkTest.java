package io.lorica.serve.registry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.adapter.Adapter;
import io.lorica.adapter.Fingerprint;
import io.lorica.model.CausalModel;
import io.lorica.serve.TinyModels;
import io.lorica.serve.store.AdapterStore;
import io.lorica.serve.store.BlendSpec;
import io.lorica.serve.store.Lease;
import io.lorica.tensor.DType;
import io.lorica.tensor.Hashing;
import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two servers' stores linked to one registry. */
class RegistryLinkTest {
    private static final Duration EVERY = Duration.ofMillis(20);

    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    @SuppressWarnings("NullAway.Init")
    private CausalModel model;

    @SuppressWarnings("NullAway.Init")
    private Locations locations;

    @SuppressWarnings("NullAway.Init")
    private Replica here;

    @SuppressWarnings("NullAway.Init")
    private Replica there;

    /** What one server has. */
    private final class Replica implements AutoCloseable {
        final AdapterRegistry registry = AdapterRegistry.open("sqlite:" + folder.resolve("registry.db"));
        final AdapterStore store = new AdapterStore(model, 1 << 20);
        final RegistryLink link = RegistryLink.start(registry, store, locations, EVERY);

        void use(String name) {
            store.acquire(BlendSpec.parse(name)).close();
        }

        @Override
        public void close() {
            link.close();
            store.close();
            registry.close();
        }
    }

    @BeforeEach
    void open() {
        model = TinyModels.open("llama2", DType.F32);
        for (int i = 0; i < 2; i++) {
            try (Adapter adapter =
                    TinyModels.adapter(model, "lora", "{'r':4,'lora_alpha':8,'target_modules':['q_proj']}", i)) {
                adapter.save(files(i));
            }
        }
        locations = new Locations(folder.resolve("cache"), Long.MAX_VALUE, Optional.empty());
        here = new Replica();
        there = new Replica();
    }

    @AfterEach
    void close() {
        there.close();
        here.close();
        locations.close();
        model.close();
    }

    private Path files(int number) {
        return folder.resolve("a" + number);
    }

    private static void await(BooleanSupplier condition) throws InterruptedException {
        long deadline = System.nanoTime() + Duration.ofSeconds(10).toNanos();
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime()).as("waited 10 s").isLessThan(deadline);
            Thread.sleep(EVERY);
        }
    }

    @Test
    void add_atOneServer_isServedByTheOtherAndAfterARestart() throws InterruptedException {
        here.link.add("tone", files(0));
        assertThat(here.registry.find("tone")).isPresent();
        await(() -> there.store.names().contains("tone"));
        there.use("tone");
        there.close();
        there = new Replica();
        there.use("tone");
    }

    @Test
    void remove_atOneServer_leavesTheOtherWhileItsRequestsGoOn() throws InterruptedException {
        here.link.add("tone", files(0));
        await(() -> there.store.names().contains("tone"));
        try (Lease _ = there.store.acquire(BlendSpec.parse("tone"))) {
            here.link.remove("tone");
            await(() -> there.store.names().isEmpty());
            assertThat(there.store.stats().bytes()).isPositive();
        }
        assertThat(there.store.stats().bytes()).isZero();
        assertThat(here.store.names()).isEmpty();
    }

    @Test
    void put_inTheRegistry_replacesWhatIsServed() throws InterruptedException {
        here.link.add("tone", files(0));
        here.use("tone");
        assertThat(here.store.stats().loads()).isEqualTo(1);
        here.registry.put(locations.describe("tone", new Location.Folder(files(1))));
        await(() -> here.store.stats().loaded() == 0);
        here.use("tone");
        assertThat(here.store.stats().loads()).isEqualTo(2);
    }

    @Test
    void add_takenName_isRefusedByEveryServer() throws InterruptedException {
        here.link.add("tone", files(0));
        RegisteredAdapter first = here.registry.find("tone").orElseThrow();
        assertThatThrownBy(() -> here.link.add("tone", files(1))).isInstanceOf(LoricaException.BadInput.class);
        await(() -> there.store.names().contains("tone"));
        assertThatThrownBy(() -> there.link.add("tone", files(1))).isInstanceOf(LoricaException.BadInput.class);
        assertThat(here.registry.list()).isEqualTo(List.of(first));
    }

    @Test
    void add_damagedWeights_isNotRegistered() throws IOException {
        Files.write(files(0).resolve("adapter_model.safetensors"), new byte[] {1, 2, 3});
        assertThatThrownBy(() -> here.link.add("tone", files(0))).isInstanceOf(LoricaException.class);
        assertThat(here.registry.list()).isEmpty();
        assertThat(here.store.names()).isEmpty();
    }

    @Test
    void acquire_filesChangedSince_isRefused() throws IOException {
        here.registry.add(locations.describe("tone", new Location.Folder(files(0))));
        here.link.refresh();
        Files.writeString(files(0).resolve("adapter_config.json"), " ", StandardOpenOption.APPEND);
        assertThatThrownBy(() -> here.use("tone"))
                .isInstanceOf(LoricaException.Incompatible.class)
                .hasMessageContaining("registered with");
    }

    @Test
    void acquire_ofAnotherBase_isRefusedBeforeAnyFileIsRead() {
        here.registry.add(new RegisteredAdapter(
                "far",
                Location.parse("s3://adapters/far"),
                Hashing.sha256("files"),
                Optional.of(new Fingerprint(Hashing.sha256("another base"))),
                8,
                100,
                Instant.now()));
        here.link.refresh();
        assertThatThrownBy(() -> here.use("far"))
                .isInstanceOf(LoricaException.Incompatible.class)
                .hasMessageContaining("trained on");
    }

    @Test
    void remove_unknown_suggestsTheNearest() {
        here.link.add("tone", files(0));
        assertThatThrownBy(() -> here.link.remove("tome"))
                .isInstanceOf(LoricaException.NotFound.class)
                .hasMessageContaining("did you mean 'tone'");
    }

    @Test
    void acquire_registryUnreachable_isServedOn() {
        here.link.add("tone", files(0));
        here.registry.close();
        here.use("tone");
    }
}
