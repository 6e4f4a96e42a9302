package io.lorica.server;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import io.helidon.http.HeaderValues;
import io.helidon.webserver.http.ServerResponse;

/** Answers that are one JSON document. */
final class Json {
    private Json() {}

    static void send(ServerResponse response, JsonNode document) {
        response.header(HeaderValues.CONTENT_TYPE_JSON);
        response.send(document.toString().getBytes(UTF_8));
    }
}
