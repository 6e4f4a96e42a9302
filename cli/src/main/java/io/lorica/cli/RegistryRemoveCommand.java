package io.lorica.cli;

import io.lorica.serve.registry.AdapterRegistry;
import io.lorica.serve.registry.RegisteredAdapter;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Names;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code lorica registry remove}: servers stop taking requests for these; running ones end. */
@Command(name = "remove", header = "Take adapters out of the registry; their files stay.")
final class RegistryRemoveCommand implements Callable<Integer> {

    @Mixin
    @SuppressWarnings("NullAway.Init")
    RegistryOptions options;

    @Parameters(arity = "1..*", paramLabel = "NAME", description = "Names of adapters.")
    @SuppressWarnings("NullAway.Init")
    List<String> names;

    private final Console console;

    RegistryRemoveCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        try (AdapterRegistry registry = options.open()) {
            for (String name : names) {
                if (!registry.remove(name)) {
                    throw new LoricaException.NotFound("no adapter named '" + name + "' is registered"
                            + Names.didYouMean(
                                    name,
                                    registry.list().stream()
                                            .map(RegisteredAdapter::name)
                                            .toList()));
                }
                console.print("removed " + name);
            }
        }
        return 0;
    }
}
