package io.lorica.server;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.helidon.http.DirectHandler;
import io.helidon.http.HeaderNames;
import io.helidon.http.HeaderValues;
import io.helidon.http.HttpException;
import io.helidon.http.Method;
import io.helidon.http.RequestException;
import io.helidon.http.Status;
import io.helidon.webserver.CloseConnectionException;
import io.helidon.webserver.http.DirectHandlers;
import io.helidon.webserver.http.Handler;
import io.helidon.webserver.http.HttpRouting;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import io.lorica.server.access.Keys;

/** The paths of a server: who may take them, what is counted, and how a failure is told. */
final class Routes {
    private final HttpRouting.Builder routing = HttpRouting.builder().error(Throwable.class, Routes::failed);
    private final Keys keys;
    private final Metrics metrics;

    Routes(Keys keys, Metrics metrics) {
        this.keys = keys;
        this.metrics = metrics;
    }

    /** A path for whoever has a key. */
    Routes known(Method method, String path, Action action) {
        return open(
                method,
                path,
                (request, response) -> action.handle(
                        request, response, keys.caller(request.headers().first(HeaderNames.AUTHORIZATION))));
    }

    /** A path for everybody. Other methods on it are refused. */
    Routes open(Method method, String path, Handler handler) {
        routing.route(method, path, counted(path, handler));
        routing.any(path, counted(path, (request, _) -> {
            throw new HttpException(
                            request.path().path() + " takes " + method.text() + ", not "
                                    + request.prologue().method().text(),
                            Status.METHOD_NOT_ALLOWED_405)
                    .header(HeaderValues.create(HeaderNames.ALLOW, method.text()));
        }));
        return this;
    }

    HttpRouting.Builder routing() {
        return routing.any(counted("other", (request, _) -> {
            throw new HttpException(
                    "there is no " + request.path().path()
                            + " here; GET /openapi lists what there is (generation needs a"
                            + " causal base, embeddings an encoder)",
                    Status.NOT_FOUND_404);
        }));
    }

    private Handler counted(String path, Handler handler) {
        return (request, response) -> {
            if (!request.content().hasEntity()) {
                Clients.current().received();
            }
            response.whenSent(() -> metrics.responded(path, response.status().code()));
            handler.handle(request, response);
        };
    }

    private static void failed(ServerRequest request, ServerResponse response, Throwable error) {
        if (error instanceof CloseConnectionException gone) {
            throw gone;
        }
        Body.discard(request);
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

    /** What is refused before it reaches any route: requests that are no HTTP. */
    static DirectHandlers directHandlers() {
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
}
