package io.lorica.cli;

import io.lorica.serve.registry.AdapterRegistry;
import io.lorica.serve.registry.Location;
import io.lorica.serve.registry.Locations;
import io.lorica.serve.registry.RegisteredAdapter;
import io.lorica.tensor.LoricaException;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code lorica registry add}: what lies at a location is read, hashed and registered. */
@Command(
        name = "add",
        header = "Register adapters by where their files lie.",
        footer = {"", "Example: lorica registry add --registry sqlite:adapters.db adapters/tone s3://models/law"})
final class RegistryAddCommand implements Callable<Integer> {

    @Mixin
    @SuppressWarnings("NullAway.Init")
    RegistryOptions options;

    @Parameters(
            arity = "1..*",
            paramLabel = "LOCATION",
            description = "A folder of PEFT's, or s3://BUCKET/PREFIX; its last part is the adapter's name.")
    @SuppressWarnings("NullAway.Init")
    List<String> locations;

    @Option(names = "--name", paramLabel = "NAME", description = "Another name, where there is one location.")
    @Nullable
    String name;

    @Option(names = "--replace", description = "Take the place of adapters with the same names.")
    boolean replace;

    private final Console console;

    RegistryAddCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        if (name != null && locations.size() > 1) {
            throw new LoricaException.BadInput("--name is one name, but there are " + locations.size()
                    + " locations; add them one by one, or leave --name out");
        }
        List<Location> parsed = locations.stream().map(Location::parse).toList();
        try (AdapterRegistry registry = options.open();
                Locations files = options.locations()) {
            for (Location location : parsed) {
                add(registry, files.describe(name == null ? lastPart(location) : name, location));
            }
        }
        return 0;
    }

    private static String lastPart(Location location) {
        String text = location.toString();
        return text.substring(text.lastIndexOf('/') + 1);
    }

    private void add(AdapterRegistry registry, RegisteredAdapter adapter) {
        if (replace) {
            registry.put(adapter);
        } else if (!registry.add(adapter)) {
            throw new LoricaException.BadInput("an adapter named '" + adapter.name()
                    + "' is registered already; choose another name, or replace it with --replace");
        }
        console.print("added %s from %s".formatted(adapter.name(), adapter.location()));
    }
}
