package io.lorica.server;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.helidon.webserver.http.Handler;
import java.time.Instant;

/** {@code /v1/models}: the base and its adapters, these with the base as {@code parent} as in vLLM. */
final class Models {
    private final Served served;
    private final long created = Instant.now().getEpochSecond();

    Models(Served served) {
        this.served = served;
    }

    Handler list() {
        return (_, response) -> {
            ObjectNode root = JsonNodeFactory.instance.objectNode().put("object", "list");
            ArrayNode data = root.putArray("data");
            served.names().forEach(name -> data.add(model(name)));
            Json.send(response, root);
        };
    }

    Handler one() {
        return (request, response) -> {
            String name = request.path().pathParameters().get("name");
            served.spec(name);
            Json.send(response, model(name));
        };
    }

    private ObjectNode model(String name) {
        return JsonNodeFactory.instance
                .objectNode()
                .put("id", name)
                .put("object", "model")
                .put("created", created)
                .put("owned_by", "lorica")
                .put("parent", name.equals(served.base()) ? null : served.base());
    }
}
