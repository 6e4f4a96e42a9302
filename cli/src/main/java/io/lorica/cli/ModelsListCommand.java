package io.lorica.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.lorica.model.Catalogue;
import io.lorica.model.ModelStore;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code lorica models list}: the catalogue, and what of it is on this machine. */
@Command(
        name = "list",
        header = "The catalogue, and what of it is on this machine.",
        footer = {"", "Example: lorica models list --json"})
final class ModelsListCommand implements Callable<Integer> {

    @Option(names = "--json", description = "One JSON array.")
    boolean json;

    private final Console console;

    ModelsListCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        ModelStore store = ModelStore.standard();
        if (json) {
            console.json(document(store));
            return 0;
        }
        for (Catalogue.Entry entry : store.catalogue().models()) {
            String here = store.cached(entry.name())
                    .map(located -> located.path().toString())
                    .orElse("not here; lorica models pull " + entry.name());
            console.print("%-24s %s, %s".formatted(entry.name(), size(entry), entry.licence()));
            console.print("  " + entry.description());
            console.print("  " + here);
        }
        return 0;
    }

    private static String size(Catalogue.Entry entry) {
        return entry.parameters() == 0 ? "built in" : Units.count(entry.parameters()) + " parameters";
    }

    private static ArrayNode document(ModelStore store) {
        ArrayNode array = JsonNodeFactory.instance.arrayNode();
        for (Catalogue.Entry entry : store.catalogue().models()) {
            var node = array.addObject()
                    .put("name", entry.name())
                    .put("description", entry.description())
                    .put("parameters", entry.parameters())
                    .put("licence", entry.licence())
                    .put("built_in", entry.builtIn());
            node.put(
                    "path",
                    store.cached(entry.name())
                            .map(found -> found.path().toString())
                            .orElse(null));
        }
        return array;
    }
}
