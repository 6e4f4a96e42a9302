package io.lorica.server;

import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import io.lorica.server.access.Tenant;

/** What a route does for whoever asks. */
interface Action {
    void handle(ServerRequest request, ServerResponse response, Tenant tenant) throws Exception;
}
