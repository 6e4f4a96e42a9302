package io.lorica.serve.registry;

import static io.lorica.serve.registry.Rows.row;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What every registry promises, whatever database holds it. */
abstract class RegistryContract {
    @SuppressWarnings("NullAway.Init")
    private AdapterRegistry registry;

    /** A URL of an empty database, the same until the test ends. */
    abstract String url();

    @BeforeEach
    void open() {
        registry = AdapterRegistry.open(url());
    }

    @AfterEach
    void close() {
        registry.close();
    }

    @Test
    void list_newRegistry_isEmpty() {
        assertThat(registry.list()).isEmpty();
    }

    @Test
    void list_severalAdapters_areWholeAndSorted() {
        for (int i : List.of(3, 1, 2)) {
            registry.put(row("a" + i, i));
        }
        assertThat(registry.list()).containsExactly(row("a1", 1), row("a2", 2), row("a3", 3));
    }

    @Test
    void find_addedAdapter_isTheSame() {
        registry.add(row("tone", 6));
        assertThat(registry.find("tone")).contains(row("tone", 6));
        assertThat(registry.find("law")).isEmpty();
    }

    @Test
    void add_takenName_changesNothing() {
        assertThat(registry.add(row("tone", 1))).isTrue();
        assertThat(registry.add(row("tone", 2))).isFalse();
        assertThat(registry.list()).containsExactly(row("tone", 1));
    }

    @Test
    void put_takenName_replaces() {
        registry.put(row("tone", 1));
        registry.put(row("tone", 2));
        assertThat(registry.list()).containsExactly(row("tone", 2));
    }

    @Test
    void remove_twice_tellsWhetherThereWasOne() {
        registry.add(row("tone", 1));
        assertThat(registry.remove("tone")).isTrue();
        assertThat(registry.remove("tone")).isFalse();
        assertThat(registry.list()).isEmpty();
    }

    @Test
    void open_again_keepsEverything() {
        registry.add(row("tone", 1));
        try (AdapterRegistry other = AdapterRegistry.open(url())) {
            assertThat(other.list()).containsExactly(row("tone", 1));
        }
    }

    @Test
    void version_changesOfAnother_areSeen() {
        try (AdapterRegistry other = AdapterRegistry.open(url())) {
            long before = registry.version();
            assertThat(registry.version()).isEqualTo(before);
            other.add(row("tone", 1));
            long added = registry.version();
            other.put(row("tone", 2));
            long replaced = registry.version();
            other.remove("tone");
            assertThat(List.of(before, added, replaced, registry.version()))
                    .isSorted()
                    .doesNotHaveDuplicates();
        }
    }

    /** Each has a connection of its own, as processes would; the first to come makes the tables. */
    @Test
    void add_severalWritersAtOnce_loseNothing() throws Exception {
        long before = registry.version();
        try (ExecutorService writers = Executors.newFixedThreadPool(4)) {
            List<Future<?>> running = new ArrayList<>();
            for (int writer = 0; writer < 4; writer++) {
                int first = 10 * writer;
                running.add(writers.submit(() -> {
                    for (int i = first; i < first + 10; i++) {
                        try (AdapterRegistry own = AdapterRegistry.open(url())) {
                            own.add(row("a" + i, i));
                        }
                    }
                }));
            }
            for (Future<?> writer : running) {
                writer.get();
            }
        }
        assertThat(registry.list()).hasSize(40);
        assertThat(registry.version()).isEqualTo(before + 40);
    }
}
