package io.lorica.server;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import io.lorica.server.access.Keys;
import io.lorica.server.access.Tenant;
import io.lorica.server.access.Usage;
import java.util.Collection;
import java.util.List;

/** {@code /v1/usage}: what the caller has used since the server started; for administrators, what everybody has. */
record Accounts(Keys keys) {

    void show(ServerRequest request, ServerResponse response, Tenant caller) {
        ObjectNode root = JsonNodeFactory.instance.objectNode().put("object", "list");
        var data = root.putArray("data");
        Collection<Tenant> shown = caller.admin() ? keys.tenants() : List.of(caller);
        shown.forEach(tenant -> write(data.addObject(), tenant));
        Json.send(response, root);
    }

    private static void write(ObjectNode node, Tenant tenant) {
        Usage usage = tenant.usage();
        node.put("tenant", tenant.name())
                .put("requests", usage.requests())
                .put("refused", usage.refused())
                .put("prompt_tokens", usage.promptTokens())
                .put("completion_tokens", usage.answerTokens())
                .put("tokens_today", usage.today());
        if (tenant.limits().tokensPerDay() > 0) {
            node.put("tokens_per_day", tenant.limits().tokensPerDay());
        }
    }
}
