package io.lorica.server;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.helidon.http.DirectHandler;
import io.helidon.http.HeaderNames;
import io.helidon.http.HeaderValues;
import io.helidon.http.HttpException;
import io.helidon.http.RequestException;
import io.helidon.http.Status;
import io.helidon.webserver.CloseConnectionException;
import io.helidon.webserver.WebServer;
import io.helidon.webserver.http.DirectHandlers;
import io.helidon.webserver.http.Handler;
import io.helidon.webserver.http.HttpRouting;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import io.lorica.model.CausalModel;
import io.lorica.model.Pretrained;
import io.lorica.serve.engine.Engine;
import io.lorica.serve.engine.EngineStats;
import io.lorica.serve.store.AdapterStore;
import java.net.URI;
import java.time.Duration;

/**
 * A base and its adapters behind OpenAI's API over HTTP.
 *
 * <p>Each connection has a virtual thread; what calls native code runs on a few platform threads, and the model on the
 * engine's own. Closing lets running requests end.
 */
public final class LoricaServer implements AutoCloseable {
    private final ServerOptions options;
    private final Engine engine;
    private final Workers workers = new Workers();
    private final Running running = new Running();
    private final WebServer web;

    private LoricaServer(Pretrained base, AdapterStore store, ServerOptions options) {
        this.options = options;
        Served served = new Served(options.name(), store);
        CausalModel model = base.causal();
        engine = Engine.start(model, base.tokenizer(), options.engine());
        Generate generate =
                new Generate(engine, served, base.tokenizer(), model.contextLength(), options, workers, running);
        web = web(routing(generate, new Models(served))).start();
    }

    /**
     * Listens when this returns.
     *
     * @param base stays the caller's, to be closed after the server
     * @param store likewise, and before the base
     */
    public static LoricaServer start(Pretrained base, AdapterStore store, ServerOptions options) {
        return new LoricaServer(base, store, options);
    }

    /** Where it listens. */
    public URI address() {
        return URI.create("http://" + options.host() + ":" + web.port());
    }

    EngineStats stats() {
        return engine.stats();
    }

    private HttpRouting.Builder routing(Generate generate, Models models) {
        HttpRouting.Builder routing = HttpRouting.builder().error(Throwable.class, LoricaServer::failed);
        post(routing, "/v1/chat/completions", generate.chat());
        post(routing, "/v1/completions", generate.text());
        get(routing, "/v1/models", models.list());
        get(routing, "/v1/models/{name}", models.one());
        get(routing, "/health", this::ready);
        get(routing, "/health/live", (_, response) -> response.send("ok\n"));
        get(routing, "/health/ready", this::ready);
        get(routing, "/health/started", (_, response) -> response.send("ok\n"));
        routing.any((request, _) -> {
            throw new HttpException(
                    "there is no " + request.path().path() + " here; see docs/serving.md", Status.NOT_FOUND_404);
        });
        return routing;
    }

    private static void post(HttpRouting.Builder routing, String path, Handler handler) {
        routing.post(path, handler).any(path, (request, _) -> refuseMethod(request, "POST"));
    }

    private static void get(HttpRouting.Builder routing, String path, Handler handler) {
        routing.get(path, handler).any(path, (request, _) -> refuseMethod(request, "GET"));
    }

    private static void refuseMethod(ServerRequest request, String allowed) {
        throw new HttpException(
                        request.path().path() + " takes " + allowed + ", not "
                                + request.prologue().method().text(),
                        Status.METHOD_NOT_ALLOWED_405)
                .header(HeaderValues.create(HeaderNames.ALLOW, allowed));
    }

    private void ready(ServerRequest request, ServerResponse response) {
        if (running.draining()) {
            throw new HttpException("the server is shutting down", Status.SERVICE_UNAVAILABLE_503);
        }
        response.send("ok\n");
    }

    private static void failed(ServerRequest request, ServerResponse response, Throwable error) {
        if (error instanceof CloseConnectionException gone) {
            throw gone;
        }
        Failure failure = Failure.of(error);
        if (error instanceof HttpException http) {
            http.headers().forEach(response::header);
            if (!http.keepAlive()) {
                response.header(HeaderValues.CONNECTION_CLOSE);
            }
        }
        if (failure.retrySeconds() > 0) {
            response.header(HeaderNames.RETRY_AFTER, Integer.toString(failure.retrySeconds()));
        }
        response.status(failure.status());
        Json.send(response, failure.json());
    }

    private WebServer web(HttpRouting.Builder routing) {
        return WebServer.builder()
                .host(options.host())
                .port(options.port())
                .shutdownHook(false)
                .shutdownGracePeriod(Duration.ofMillis(500))
                .directHandlers(directHandlers())
                .useNio(false)
                .protocolsDiscoverServices(false)
                .addConnectionSelector(new Clients())
                .routing(routing)
                .build();
    }

    /** What is refused before it reaches any route: malformed requests. */
    private static DirectHandlers directHandlers() {
        DirectHandlers.Builder builder = DirectHandlers.builder();
        for (DirectHandler.EventType type : DirectHandler.EventType.values()) {
            builder.addHandler(type, (request, event, status, headers, message) -> {
                RequestException malformed = RequestException.builder()
                        .type(event)
                        .status(status)
                        .message(message == null || message.isEmpty() ? "the request is malformed" : message)
                        .build();
                headers.set(HeaderValues.CONTENT_TYPE_JSON);
                return DirectHandler.TransportResponse.builder()
                        .status(status)
                        .headers(headers)
                        .entity(Failure.of(malformed).json().toString().getBytes(UTF_8))
                        .build();
            });
        }
        return builder.build();
    }

    /** Takes nothing new, lets running requests end, and stops listening. */
    @Override
    public void close() {
        running.drain(options.drainTime());
        web.stop();
        workers.close();
        engine.close();
    }
}
