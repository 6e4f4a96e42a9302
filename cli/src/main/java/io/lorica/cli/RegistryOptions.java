package io.lorica.cli;

import io.lorica.model.ModelStore;
import io.lorica.serve.registry.AdapterRegistry;
import io.lorica.serve.registry.Locations;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Memory;
import java.net.URI;
import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Which registry, and how the files that it names come here. */
final class RegistryOptions {

    @Option(
            names = "--registry",
            paramLabel = "URL",
            defaultValue = "${env:LORICA_REGISTRY}",
            description = "Registry of adapters that servers share: sqlite:FILE or jdbc:postgresql://HOST/DATABASE"
                    + " (default: the environment's LORICA_REGISTRY).")
    @Nullable
    String registry;

    @Option(
            names = "--s3-endpoint",
            paramLabel = "URL",
            description = "Object store for s3:// locations, where it is not AWS's own; credentials are looked for as"
                    + " AWS's tools do.")
    @Nullable
    URI endpoint;

    @Option(
            names = "--adapter-cache",
            paramLabel = "DIR",
            description = "Where objects are kept (default: adapters in the cache of models).")
    @Nullable
    Path cache;

    @Option(
            names = "--adapter-cache-size",
            paramLabel = "SIZE",
            defaultValue = "10GiB",
            description =
                    "Most bytes of objects that are kept (default: ${DEFAULT-VALUE}); those unused longest leave.")
    @SuppressWarnings("NullAway.Init")
    String cacheSize;

    boolean given() {
        return registry != null;
    }

    AdapterRegistry open() {
        if (registry == null) {
            throw new LoricaException.BadInput(
                    "no registry is named; give --registry sqlite:FILE, or set LORICA_REGISTRY");
        }
        return AdapterRegistry.open(registry);
    }

    Locations locations() {
        Path folder = cache == null ? ModelStore.standardHome().resolve("adapters") : cache;
        return new Locations(folder, Memory.parse(cacheSize), Optional.ofNullable(endpoint));
    }
}
