package io.lorica.server;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.helidon.http.Status;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import io.lorica.adapter.AdapterConfig;
import io.lorica.serve.store.BlendSpec;
import io.lorica.server.access.Tenant;
import io.lorica.tensor.AtomicFile;
import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;

/**
 * {@code POST /v1/lorica/adapters/{name}} with a zip of PEFT's folder: puts an adapter into the directory of adapters and
 * serves it. It is unpacked into a hidden folder beside the others, one level deeper than a start looks for adapters, and
 * renamed when it is complete; if it then turns out not to fit the base, it goes again.
 */
final class Uploads {
    /** Adapters are larger than requests, and whoever sends them is an administrator. */
    private static final Duration TIME = Duration.ofMinutes(10);

    /** What a zip may add to what it holds. */
    private static final long OVERHEAD = 1 << 20;

    private final Admin admin;
    private final Clients clients;
    private final Workers workers;

    Uploads(Admin admin, Clients clients, Workers workers) {
        this.admin = admin;
        this.clients = clients;
        this.workers = workers;
    }

    /**
     * Files in float32 take twice the memory that their adapter takes on a base of 16 bits; what is larger than twice
     * the budget could never be served.
     */
    private long most() {
        return 2 * admin.store().stats().budget();
    }

    void add(ServerRequest request, ServerResponse response, Tenant tenant) throws IOException, InterruptedException {
        Admin.require(tenant);
        String name = BlendSpec.requireName(request.path().pathParameters().get("name"));
        Path target = admin.directory().resolve(name);
        requireFree(name, target);
        clients.allow(TIME);
        Path staging = Files.createTempDirectory(admin.directory(), ".upload-");
        try {
            Path zip = staging.resolve("zip");
            Body.save(request, zip, most() + OVERHEAD);
            workers.run(() -> {
                AdapterZip.unpack(zip, staging.resolve(name), most());
                AdapterConfig.read(staging.resolve(name));
                move(staging.resolve(name), target);
                serve(name, target);
                return name;
            });
        } finally {
            AtomicFile.deleteTree(staging);
        }
        response.status(Status.CREATED_201);
        Json.send(response, JsonNodeFactory.instance.objectNode().put("name", name));
    }

    private void requireFree(String name, Path target) {
        admin.requireNotBase(name, "the path's last part");
        if (Files.exists(target) || admin.store().names().contains(name)) {
            throw new LoricaException.BadInput("there is an adapter named '" + name
                    + "' in the server's directory already; choose another name, or remove its folder there first");
        }
    }

    private void move(Path from, Path target) throws IOException {
        try {
            Files.move(from, target, StandardCopyOption.ATOMIC_MOVE);
            AtomicFile.syncDirectory(target.getParent());
        } catch (FileSystemException e) {
            requireFree(target.getFileName().toString(), target); // somebody else may have been faster
            throw e;
        }
    }

    private void serve(String name, Path target) throws IOException {
        try {
            admin.registrar().add(name, target);
        } catch (RuntimeException e) {
            AtomicFile.deleteTree(target);
            throw e;
        }
    }
}
