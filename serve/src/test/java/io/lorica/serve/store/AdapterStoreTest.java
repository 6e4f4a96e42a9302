package io.lorica.serve.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.adapter.Adapter;
import io.lorica.model.CausalModel;
import io.lorica.serve.TinyModels;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AdapterStoreTest {
    /** Rank 4 on two projections of 32 by 32 in two layers, float32. */
    private static final long BYTES = 4L * 2 * 2 * (4 * 32 + 32 * 4);

    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path directory;

    @SuppressWarnings("NullAway.Init")
    private CausalModel model;

    @BeforeEach
    void open() {
        model = TinyModels.open("llama2", DType.F32);
        for (int i = 0; i < 4; i++) {
            try (Adapter adapter = TinyModels.adapter(
                    model, "lora", "{'r':4,'lora_alpha':8,'target_modules':['q_proj','o_proj']}", i)) {
                adapter.save(directory.resolve("a" + i));
            }
        }
    }

    @AfterEach
    void close() {
        model.close();
    }

    private AdapterStore store(long budget) {
        AdapterStore store = new AdapterStore(model, budget);
        assertThat(store.addAll(directory)).isEqualTo(4);
        return store;
    }

    private static void use(AdapterStore store, String spec) {
        store.acquire(BlendSpec.parse(spec)).close();
    }

    @Test
    void addAll_folders_areKnownAndNotLoaded() {
        try (AdapterStore store = store(10 * BYTES)) {
            assertThat(store.names()).containsExactly("a0", "a1", "a2", "a3");
            assertThat(store.stats()).isEqualTo(new StoreStats(4, 0, 0, 10 * BYTES, 0, 0, 0));
        }
    }

    @Test
    void acquire_budgetFull_longestUnusedLeaves() {
        try (AdapterStore store = store(2 * BYTES)) {
            use(store, "a0");
            use(store, "a1");
            use(store, "a0");
            use(store, "a2"); // a1 leaves
            use(store, "a0");
            assertThat(store.stats()).isEqualTo(new StoreStats(4, 2, 2 * BYTES, 2 * BYTES, 2, 3, 1));
        }
    }

    @Test
    void acquire_budgetFullOfUsedOnes_isBusyAndChangesNothing() {
        try (AdapterStore store = store(2 * BYTES)) {
            try (Lease _ = store.acquire(BlendSpec.parse("a0:0.5+a1"))) {
                assertThatThrownBy(() -> use(store, "a2"))
                        .isInstanceOf(LoricaException.Busy.class)
                        .hasMessageContaining("a2");
            }
            use(store, "a2");
            assertThat(store.stats().bytes()).isEqualTo(2 * BYTES);
        }
    }

    @Test
    void acquire_blend_hasItsWeightsInOrder() {
        try (AdapterStore store = store(4 * BYTES);
                Lease lease = store.acquire(BlendSpec.parse("a3:0.7+a1:-0.5"))) {
            assertThat(lease.blend().parts().stream()
                            .map(part -> part.adapter().name() + part.weight())
                            .toList())
                    .isEqualTo(List.of("a30.7", "a1-0.5"));
        }
    }

    @Test
    void remove_whileUsed_freesWithTheLastLease() {
        try (AdapterStore store = store(4 * BYTES)) {
            try (Lease _ = store.acquire(BlendSpec.parse("a0"))) {
                store.remove("a0");
                assertThat(store.names()).doesNotContain("a0");
                assertThat(store.stats().bytes()).isEqualTo(BYTES);
            }
            assertThat(store.stats().bytes()).isZero();
            store.add("a0", directory.resolve("a1"));
            use(store, "a0");
        }
    }

    @Test
    void acquire_damagedFile_isRefusedAndLeavesTheOthers() throws IOException {
        Files.write(directory.resolve("a2/adapter_model.safetensors"), new byte[] {1, 2, 3});
        try (AdapterStore store = store(4 * BYTES)) {
            assertThatThrownBy(() -> use(store, "a2")).isInstanceOf(LoricaException.class);
            use(store, "a1");
            assertThat(store.stats().loaded()).isEqualTo(1);
        }
    }

    @Test
    void acquire_adapterOfAnotherBase_isIncompatible() {
        try (AdapterStore store = new AdapterStore(model, 4 * BYTES)) {
            store.add("gpt", TinyModels.peft("gpt2"));
            assertThatThrownBy(() -> use(store, "gpt")).isInstanceOf(LoricaException.class);
            assertThat(store.stats().bytes()).isZero();
        }
    }

    @Test
    void acquire_unknown_suggestsTheNearest() {
        try (AdapterStore store = store(4 * BYTES)) {
            assertThatThrownBy(() -> use(store, "a33"))
                    .isInstanceOf(LoricaException.NotFound.class)
                    .hasMessageContaining("did you mean 'a3'");
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"../a0", "a0/../a1", "..", ".hidden", "", "a0:x", "a0:1e9", "a0+", "a0+a0", "a\u0000b", "a b"})
    void parse_noName_isRefused(String text) {
        assertThatThrownBy(() -> BlendSpec.parse(text)).isInstanceOf(LoricaException.BadInput.class);
    }
}
