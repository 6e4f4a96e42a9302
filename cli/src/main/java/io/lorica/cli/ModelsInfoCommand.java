package io.lorica.cli;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.model.ModelInfo;
import io.lorica.model.ModelStore;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code lorica models info}: what the headers of a model's files say. */
@Command(
        name = "info",
        header = "What a model is: architecture, size, types, and the sites that adapters may act on.",
        footer = {"", "Example: lorica models info smollm2-135m-instruct"})
final class ModelsInfoCommand implements Callable<Integer> {

    @Parameters(paramLabel = "REF", description = "Catalogue name, directory, GGUF file or hub id.")
    @SuppressWarnings("NullAway.Init")
    String reference;

    @Option(names = "--json", description = "One JSON object.")
    boolean json;

    private final Console console;

    ModelsInfoCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        ModelInfo info = info();
        if (json) {
            console.json(document(info));
        } else {
            print(info);
        }
        return 0;
    }

    private ModelInfo info() {
        try (FetchProgress progress = new FetchProgress(console)) {
            return ModelStore.standard(progress).info(reference);
        }
    }

    private void print(ModelInfo info) {
        console.print("%s: %s, %s parameters"
                .formatted(info.reference(), info.architecture(), Units.count(info.parameters())));
        console.print("  path        " + info.path() + " (from " + info.origin() + ")");
        console.print("  stored as   "
                + info.dtypes().entrySet().stream()
                        .map(type -> type.getKey() + " " + Units.bytes(type.getValue()))
                        .collect(Collectors.joining(", ")));
        if (info.vocabulary() > 0) { // models of several towers say it elsewhere, and those of pictures not at all
            console.print("  context     " + info.contextLength() + " tokens, vocabulary " + info.vocabulary());
        }
        console.print("  chat        " + (info.chatTemplate() ? "has a chat template" : "no chat template"));
        console.print("  licence     " + info.licence().orElse("not stated"));
        console.print("  sites       (name, out x in, how many)");
        info.sites()
                .forEach(
                        site -> console.print("    %-14s %-14s %d".formatted(site.leaf(), site.shape(), site.count())));
    }

    private static ObjectNode document(ModelInfo info) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("reference", info.reference());
        json.put("path", info.path());
        json.put("origin", info.origin());
        json.put("architecture", info.architecture());
        json.put("parameters", info.parameters());
        json.put("bytes", info.bytes());
        ObjectNode types = json.putObject("dtypes");
        info.dtypes().forEach(types::put);
        json.put("context_length", info.contextLength());
        json.put("vocabulary", info.vocabulary());
        json.put("chat_template", info.chatTemplate());
        json.put("licence", info.licence().orElse(null));
        var sites = json.putArray("sites");
        info.sites()
                .forEach(site -> sites.addObject()
                        .put("leaf", site.leaf())
                        .put("shape", site.shape())
                        .put("count", site.count()));
        return json;
    }
}
