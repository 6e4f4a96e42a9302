package io.lorica.server;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.helidon.http.HttpException;
import io.helidon.http.Status;
import io.helidon.webserver.http.Handler;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import io.lorica.serve.store.AdapterStore;
import io.lorica.serve.store.Registrar;
import io.lorica.server.access.Keys;
import io.lorica.server.access.Tenant;
import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Optional;

/**
 * {@code /v1/load_lora_adapter} and {@code /v1/unload_lora_adapter}, with the bodies and answers of vLLM. Only for keys
 * of administrators, and only for folders below the directory of adapters, whatever links lie in it. Where there is a
 * registry, the change is in it before it is acknowledged.
 */
final class Admin {
    private final Served served;
    private final Registrar registrar;
    private final Optional<Path> directory;
    private final Workers workers;
    private final int most;

    /** @param most bytes of a body */
    Admin(Served served, Registrar registrar, Optional<Path> directory, Workers workers, int most) {
        this.served = served;
        this.registrar = registrar;
        this.directory = directory;
        this.workers = workers;
        this.most = most;
    }

    static void require(Tenant tenant) {
        if (!tenant.admin()) {
            throw new HttpException("this needs a key with 'admin: true'; see docs/security.md", Status.FORBIDDEN_403);
        }
    }

    /** An adapter is read and checked before it is announced. */
    void load(ServerRequest request, ServerResponse response, Tenant tenant) throws InterruptedException {
        require(tenant);
        Fields fields = new Fields(Body.read(request, most));
        String name = fields.text("lora_name");
        String path = fields.text("lora_path");
        fields.options().refuseUnknown();
        requireNotBase(name, "request: key 'lora_name'");
        workers.run(() -> {
            registrar.add(name, inside(path));
            return name;
        });
        done(response, "added", name);
    }

    /** @param what has this value */
    void requireNotBase(String name, String what) {
        if (name.equals(served.base())) {
            throw new LoricaException.BadInput(
                    what + " is '" + name + "', which is the base's own name; choose another");
        }
    }

    AdapterStore store() {
        return served.store();
    }

    Registrar registrar() {
        return registrar;
    }

    /** @throws LoricaException.BadInput where there is none */
    Path directory() {
        return directory.orElseThrow(() ->
                new LoricaException.BadInput("this server has no directory of adapters; start it with --adapters DIR"));
    }

    private Path inside(String path) {
        Path root = directory();
        try {
            Path real = root.toRealPath();
            Path folder = real.resolve(path).toRealPath();
            if (folder.startsWith(real) && !folder.equals(real)) {
                return folder;
            }
        } catch (IOException | InvalidPathException _) {
            // says the same as a path that leads out, so that nobody learns what lies there
        }
        throw new LoricaException.NotFound("request: key 'lora_path' names no folder below the server's directory of"
                + " adapters; put the adapter there first");
    }

    void unload(ServerRequest request, ServerResponse response, Tenant tenant) throws InterruptedException {
        require(tenant);
        ObjectNode body = Body.read(request, most);
        Fields fields = new Fields(body);
        String name = fields.text("lora_name");
        fields.options().take("lora_int_id"); // vLLM's number for the same
        fields.options().refuseUnknown();
        workers.run(() -> {
            registrar.remove(name);
            return name;
        });
        done(response, "removed", name);
    }

    /** Metrics name tenants and adapters, so where there are keys they are for administrators. */
    Action metrics(Keys keys, Metrics metrics) {
        Handler page = metrics.page();
        return (request, response, tenant) -> {
            if (keys.required()) {
                require(tenant);
            }
            page.handle(request, response);
        };
    }

    private static void done(ServerResponse response, String what, String name) {
        response.send("Success: LoRA adapter '" + name + "' " + what + " successfully.");
    }
}
