package io.lorica.cli;

import io.lorica.adapter.Fingerprint;
import io.lorica.serve.registry.AdapterRegistry;
import io.lorica.serve.registry.RegisteredAdapter;
import io.lorica.tensor.Memory;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code lorica registry list}: one line per adapter. */
@Command(
        name = "list",
        header = "List the registered adapters.",
        description =
                "Name, rank, size, hash, the base's fingerprint where the adapter names one, when added, location.")
final class RegistryListCommand implements Callable<Integer> {

    @Mixin
    @SuppressWarnings("NullAway.Init")
    RegistryOptions options;

    private final Console console;

    RegistryListCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        try (AdapterRegistry registry = options.open()) {
            List<RegisteredAdapter> adapters = registry.list();
            int width = adapters.stream()
                    .mapToInt(adapter -> adapter.name().length())
                    .max()
                    .orElse(1);
            for (RegisteredAdapter adapter : adapters) {
                console.print(("%-" + width + "s  %4s  %9s  %s  %-12s  %s  %s")
                        .formatted(
                                adapter.name(),
                                adapter.rank() == 0 ? "-" : adapter.rank(),
                                Memory.format(adapter.bytes()),
                                adapter.sha256().substring(0, 12),
                                adapter.base().map(Fingerprint::toString).orElse("-"),
                                adapter.added(),
                                adapter.location()));
            }
            console.note(adapters.size() + " adapters");
        }
        return 0;
    }
}
