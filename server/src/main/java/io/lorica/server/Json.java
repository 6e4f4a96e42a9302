package io.lorica.server;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import io.helidon.http.HeaderValues;
import io.helidon.webserver.http.Handler;
import io.helidon.webserver.http.ServerResponse;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Objects;

/** Answers that are one JSON document. */
final class Json {
    private Json() {}

    /** A document that lies beside this class. */
    static Handler resource(String name) {
        try (InputStream in = Objects.requireNonNull(Json.class.getResourceAsStream(name), name)) {
            byte[] document = in.readAllBytes();
            return (_, response) -> {
                response.header(HeaderValues.CONTENT_TYPE_JSON);
                response.send(document);
            };
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static void send(ServerResponse response, JsonNode document) {
        response.header(HeaderValues.CONTENT_TYPE_JSON);
        response.send(document.toString().getBytes(UTF_8));
    }
}
