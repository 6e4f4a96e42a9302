package io.lorica.server;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.serve.engine.Engine;
import io.lorica.serve.engine.EngineStats;
import io.lorica.serve.store.AdapterState;
import io.lorica.serve.store.StoreStats;
import io.lorica.tensor.Memory;
import java.util.Locale;
import java.util.Optional;

/**
 * What the page shows of the server: {@code /v1/lorica/stats}, a short account of now that names nobody and so is for
 * every key, and {@code /v1/lorica/adapters}, each adapter that the key may use with its state.
 */
final class Overview {
    private static final double NANOS = 1e9;

    private final Served served;
    private final Optional<Engine> engine;
    private final boolean directory;
    private final long start = System.nanoTime();

    /**
     * @param engine none where the base is an encoder
     * @param directory whether there is one into which adapters can be put
     */
    Overview(Served served, Optional<Engine> engine, boolean directory) {
        this.served = served;
        this.engine = engine;
        this.directory = directory;
    }

    Action stats() {
        return (_, response, _) -> {
            ObjectNode root = JsonNodeFactory.instance
                    .objectNode()
                    .put("base", served.base())
                    .put("seconds", (System.nanoTime() - start) / NANOS);
            Memory.resident().ifPresent(bytes -> root.put("resident_bytes", bytes));
            engine.ifPresent(known -> write(root.putObject("engine"), known.stats()));
            StoreStats store = served.store().stats();
            root.putObject("adapters")
                    .put("known", store.known())
                    .put("loaded", store.loaded())
                    .put("bytes", store.bytes())
                    .put("budget_bytes", store.budget());
            Json.send(response, root);
        };
    }

    private static void write(ObjectNode node, EngineStats stats) {
        node.put("waiting", stats.waiting())
                .put("running", stats.running())
                .put("prompt_tokens", stats.promptTokens())
                .put("generated_tokens", stats.generatedTokens());
        EngineStats.Pages pages = stats.pages();
        node.putObject("pages")
                .put("total", pages.total())
                .put("free", pages.free())
                .put("cache", pages.cache() - pages.kept())
                .put("prefixes", pages.kept())
                .put("adapters", pages.adapters())
                .put("merged", pages.merged());
    }

    Action adapters() {
        return (_, response, tenant) -> {
            ObjectNode root = JsonNodeFactory.instance
                    .objectNode()
                    .put("object", "list")
                    .put("base", tenant.mayUse(served.base()) ? served.base() : null)
                    .put("may_change", directory && tenant.admin());
            ArrayNode data = root.putArray("data");
            served.store().states().stream()
                    .filter(state -> tenant.mayUse(state.name()))
                    .forEach(state -> write(data.addObject(), state));
            Json.send(response, root);
        };
    }

    private static void write(ObjectNode node, AdapterState state) {
        node.put("name", state.name());
        state.method().ifPresent(method -> node.put("method", method));
        state.rank().ifPresent(rank -> node.put("rank", rank));
        node.put("state", state.use().name().toLowerCase(Locale.ROOT)).put("bytes", state.bytes());
    }
}
