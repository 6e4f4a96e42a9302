package io.lorica.server;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.Adapter;
import io.lorica.adapter.AdapterConfig;
import io.lorica.adapter.Trainable;
import io.lorica.model.ModelStore;
import io.lorica.model.Pretrained;
import io.lorica.serve.engine.EngineOptions;
import io.lorica.serve.store.AdapterStore;
import io.lorica.serve.store.Registrar;
import io.lorica.tensor.DType;
import io.lorica.tensor.Grad;
import io.lorica.tensor.Scope;
import io.lorica.tensor.Seed;
import io.lorica.tensor.Tensors;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.function.Function;
import java.util.function.UnaryOperator;

/** A server on a free port with the built-in model and two adapters, {@code tone} and {@code law}; and a client. */
final class TestServer implements AutoCloseable {
    static final EngineOptions ENGINE = new EngineOptions(4, 64, 2048, 8, Duration.ofSeconds(20));
    private static final List<String> NAMES = List.of("tone", "law");
    private static final ObjectMapper JSON = new ObjectMapper();

    private final HttpClient client = HttpClient.newHttpClient();
    private final Pretrained base = ModelStore.standard().open("lorica-tiny", DType.F32);
    private final AdapterStore store;
    final LoricaServer server;

    /** @param adapters where they are written */
    TestServer(Path adapters, UnaryOperator<ServerOptions> options) {
        this(adapters, options, NAMES);
    }

    /** @param names of the adapters */
    TestServer(Path adapters, UnaryOperator<ServerOptions> options, List<String> names) {
        this(adapters, options, names, store -> {
            store.addAll(adapters);
            return Registrar.of(store);
        });
    }

    /** @param registrar given the empty store */
    TestServer(Path adapters, UnaryOperator<ServerOptions> options, Function<AdapterStore, Registrar> registrar) {
        this(adapters, options, NAMES, registrar);
    }

    private TestServer(
            Path adapters,
            UnaryOperator<ServerOptions> options,
            List<String> names,
            Function<AdapterStore, Registrar> registrar) {
        for (int i = 0; i < names.size(); i++) {
            adapter(adapters.resolve(names.get(i)), i + 1);
        }
        store = new AdapterStore(base.model(), 64 << 20);
        server = LoricaServer.start(
                base,
                store,
                registrar.apply(store),
                options.apply(ServerOptions.of("lorica-tiny")
                        .withAddress("127.0.0.1", 0)
                        .withAdapters(adapters)
                        .withEngine(ENGINE)));
    }

    private void adapter(Path folder, long seed) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled();
                Adapter adapter = Adapter.create(
                        base.model(),
                        AdapterConfig.of("lora", JSON.createObjectNode().put("r", 4)),
                        new Seed(seed))) {
            for (Trainable trainable : adapter.trainables()) {
                trainable
                        .tensor()
                        .add_(Tensors.empty(DType.F32, Tensors.shape(trainable.tensor()))
                                .normal_(
                                        0,
                                        0.1,
                                        new Seed(seed).of(trainable.name()).generator()));
            }
            adapter.save(folder);
        }
    }

    URI uri(String path) {
        return server.address().resolve(path);
    }

    HttpResponse<String> send(HttpRequest request) {
        try {
            return client.send(request, HttpResponse.BodyHandlers.ofString(UTF_8));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    HttpResponse<String> get(String path) {
        return send(HttpRequest.newBuilder(uri(path)).build());
    }

    HttpResponse<String> get(String path, String key) {
        return send(HttpRequest.newBuilder(uri(path))
                .header("Authorization", "Bearer " + key)
                .build());
    }

    HttpResponse<String> post(String path, String json, String key) {
        return send(HttpRequest.newBuilder(uri(path))
                .header("Authorization", "Bearer " + key)
                .POST(HttpRequest.BodyPublishers.ofString(json.replace('\'', '"')))
                .build());
    }

    /** @param json with single quotes */
    HttpResponse<String> post(String path, String json) {
        return send(HttpRequest.newBuilder(uri(path))
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(json.replace('\'', '"')))
                .build());
    }

    static JsonNode json(HttpResponse<String> response) {
        return json(response.body());
    }

    static JsonNode json(String text) {
        try {
            return JSON.readTree(text);
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException(text, e);
        }
    }

    /** The events of a stream, without the last, which must be {@code [DONE]}. */
    static List<JsonNode> events(HttpResponse<String> response) {
        List<String> data = response.body()
                .lines()
                .filter(line -> !line.isEmpty())
                .map(line -> line.replaceFirst("^data: ", ""))
                .toList();
        if (!data.getLast().equals("[DONE]")) {
            throw new IllegalArgumentException(response.body());
        }
        return data.subList(0, data.size() - 1).stream().map(TestServer::json).toList();
    }

    static ObjectNode object() {
        return JSON.createObjectNode();
    }

    @Override
    public void close() {
        server.close();
        store.close();
        base.close();
        client.close();
    }
}
