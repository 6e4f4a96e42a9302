package io.lorica.server;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Instant;

/** {@code /v1/models}: the base and its adapters, these with the base as {@code parent} as in vLLM. */
final class Models {
    private final Served served;
    private final long created = Instant.now().getEpochSecond();

    Models(Served served) {
        this.served = served;
    }

    Action list() {
        return (_, response, tenant) -> {
            ObjectNode root = JsonNodeFactory.instance.objectNode().put("object", "list");
            ArrayNode data = root.putArray("data");
            served.names(tenant).forEach(name -> data.add(model(name)));
            Json.send(response, root);
        };
    }

    Action one() {
        return (request, response, tenant) -> {
            String name = request.path().pathParameters().get("name");
            served.spec(name, tenant);
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
