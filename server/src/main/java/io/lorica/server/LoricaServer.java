package io.lorica.server;

import io.helidon.http.HttpException;
import io.helidon.http.Method;
import io.helidon.http.Status;
import io.helidon.webserver.WebServer;
import io.helidon.webserver.http.HttpRouting;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import io.lorica.model.CausalModel;
import io.lorica.model.EncoderModel;
import io.lorica.model.Pretrained;
import io.lorica.serve.engine.Crew;
import io.lorica.serve.engine.Engine;
import io.lorica.serve.engine.EngineStats;
import io.lorica.serve.store.AdapterStore;
import io.lorica.serve.store.Registrar;
import java.net.URI;
import java.time.Duration;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A base and its adapters behind OpenAI's API over HTTP: a causal model generates, an encoder gives embeddings.
 *
 * <p>Each connection has a virtual thread; what calls native code runs on a few platform threads, and the model on the
 * engine's own. Closing lets running requests end.
 */
public final class LoricaServer implements AutoCloseable {
    private static final int MOST_CONNECTIONS = 8192;

    private final ServerOptions options;
    private final @Nullable Engine engine;
    private final @Nullable Embedder embedder;
    private final Workers workers = new Workers();
    private final Running running = new Running();
    private final Clients clients;
    private final WebServer web;

    private LoricaServer(
            Pretrained base, AdapterStore store, Registrar registrar, @Nullable Crew crew, ServerOptions options) {
        this.options = options;
        Served served = new Served(options.name(), store);
        Metrics metrics = new Metrics(store);
        clients = new Clients(options.bodyTime());
        Routes routes = routes(served, registrar, metrics);
        if (base.model() instanceof EncoderModel encoder) {
            engine = null;
            embedder = new Embedder(encoder, options.engine().maxQueue());
            routes.known(
                    Method.POST,
                    "/v1/embeddings",
                    new Embeddings(embedder, served, base.tokenizer(), options, workers, running));
        } else {
            CausalModel model = base.causal();
            embedder = null;
            engine = Engine.start(crew == null ? Crew.alone(model) : crew, base.tokenizer(), options.engine());
            metrics.observe(engine);
            Generate generate = new Generate(
                    engine, served, base.tokenizer(), model.contextLength(), options, workers, running, metrics);
            routes.known(Method.POST, "/v1/chat/completions", generate.chat())
                    .known(Method.POST, "/v1/completions", generate.text());
        }
        Overview overview = new Overview(served, Optional.ofNullable(engine), options.adapters() != null);
        routes.known(Method.GET, "/v1/lorica/stats", overview.stats())
                .known(Method.GET, "/v1/lorica/adapters", overview.adapters());
        Page.addTo(routes);
        web = web(routes.routing()).start();
    }

    /**
     * Listens when this returns.
     *
     * @param base stays the caller's, to be closed after the server
     * @param store likewise, and before the base
     */
    public static LoricaServer start(Pretrained base, AdapterStore store, ServerOptions options) {
        return start(base, store, Registrar.of(store), options);
    }

    /**
     * The same where adapters that are added or removed by requests concern more than this process.
     *
     * @param registrar makes these changes; stays the caller's
     */
    public static LoricaServer start(Pretrained base, AdapterStore store, Registrar registrar, ServerOptions options) {
        return new LoricaServer(base, store, registrar, null, options);
    }

    /**
     * The same for a causal model that several processes compute.
     *
     * @param crew who computes; closed with the server
     */
    public static LoricaServer start(
            Pretrained base, AdapterStore store, Registrar registrar, Crew crew, ServerOptions options) {
        return new LoricaServer(base, store, registrar, crew, options);
    }

    /** Where it listens. */
    public URI address() {
        return URI.create("http://" + options.host() + ":" + web.port());
    }

    EngineStats stats() {
        return Objects.requireNonNull(engine, "an encoder has no engine").stats();
    }

    private Routes routes(Served served, Registrar registrar, Metrics metrics) {
        Models models = new Models(served);
        Admin admin =
                new Admin(served, registrar, Optional.ofNullable(options.adapters()), workers, options.bodyBytes());
        return new Routes(options.keys(), metrics)
                .known(Method.GET, "/v1/models", models.list())
                .known(Method.GET, "/v1/models/{name}", models.one())
                .known(Method.GET, "/v1/usage", new Accounts(options.keys())::show)
                .known(Method.POST, "/v1/load_lora_adapter", admin::load)
                .known(Method.POST, "/v1/unload_lora_adapter", admin::unload)
                .known(Method.POST, "/v1/lorica/adapters/{name}", new Uploads(admin, clients, workers)::add)
                .known(Method.GET, "/metrics", admin.metrics(options.keys(), metrics))
                .open(Method.GET, "/openapi", Json.resource("openapi.json"))
                .open(Method.GET, "/health", this::ready)
                .open(Method.GET, "/health/live", this::live)
                .open(Method.GET, "/health/ready", this::ready)
                .open(Method.GET, "/health/started", (_, response) -> response.send("ok\n"));
    }

    private void live(ServerRequest request, ServerResponse response) {
        if (engine != null && !engine.alive()) {
            throw new HttpException("the engine has ended; its log says why", Status.SERVICE_UNAVAILABLE_503);
        }
        response.send("ok\n");
    }

    private void ready(ServerRequest request, ServerResponse response) {
        if (running.draining()) {
            throw new HttpException("the server is shutting down", Status.SERVICE_UNAVAILABLE_503);
        }
        response.send("ok\n");
    }

    private WebServer web(HttpRouting.Builder routing) {
        return WebServer.builder()
                .host(options.host())
                .port(options.port())
                .shutdownHook(false)
                .shutdownGracePeriod(Duration.ofMillis(500))
                .maxTcpConnections(MOST_CONNECTIONS)
                .directHandlers(Routes.directHandlers())
                .useNio(false)
                .protocolsDiscoverServices(false)
                .addConnectionSelector(clients)
                .routing(routing)
                .build();
    }

    /** Takes nothing new, lets running requests end, and stops listening. */
    @Override
    public void close() {
        running.drain(options.drainTime());
        web.stop();
        clients.close();
        workers.close();
        if (engine != null) {
            engine.close();
        }
        if (embedder != null) {
            embedder.close();
        }
    }
}
