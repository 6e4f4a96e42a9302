package io.lorica.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.Method;
import io.lorica.adapter.MethodInfo;
import io.lorica.adapter.Methods;
import io.lorica.train.report.Table;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code lorica methods}: every adaptation method, with paper, kind and settings. */
@Command(
        name = "methods",
        header = "Every method: what it needs, whether it merges; with NAME its paper and settings with defaults.",
        footer = {"", "Example: lorica methods lora"})
final class MethodsCommand implements Callable<Integer> {

    @Parameters(paramLabel = "NAME", arity = "0..1", description = "Show one method with its settings.")
    @Nullable
    String name;

    @Option(names = "--json", description = "One JSON array of all that is known.")
    boolean json;

    private final Console console;

    MethodsCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        if (json) {
            console.json(document());
        } else if (name != null) {
            show(Methods.named(name).info());
        } else {
            Table table = new Table("method", "needs", "merges", "PEFT reads", "what it is");
            Methods.all().stream()
                    .map(Method::info)
                    .forEach(info -> table.row(
                            info.name(),
                            info.needs(),
                            info.mergeable() ? "yes" : "no",
                            info.readByPeft() ? "yes" : "no",
                            info.summary()));
            console.print(table.text());
            console.note("paper and settings with defaults of one: lorica methods NAME");
        }
        return 0;
    }

    private void show(MethodInfo info) {
        console.print(info.name() + ": " + info.summary());
        console.print("  paper   " + info.paper());
        console.print("  kind    " + info.kind() + "; needs " + info.needs());
        console.print("  merges  " + (info.mergeable() ? "into the weights" : "not into the weights"));
        console.print("  saved   as " + info.peftType() + (info.readByPeft() ? ", which PEFT reads" : ""));
        console.print("  settings (--set key=value)");
        info.parameters()
                .forEach(key -> console.print(
                        "    %-24s %-10s %s".formatted(key.name(), key.defaultValue(), key.description())));
    }

    private ArrayNode document() {
        ArrayNode array = JsonNodeFactory.instance.arrayNode();
        for (Method method : Methods.all()) {
            MethodInfo info = method.info();
            if (name != null && !info.name().equals(Methods.named(name).info().name())) {
                continue;
            }
            ObjectNode node = array.addObject()
                    .put("name", info.name())
                    .put("peft_type", info.peftType())
                    .put("summary", info.summary())
                    .put("paper", info.paper())
                    .put("kind", info.kind())
                    .put("needs", info.needs())
                    .put("mergeable", info.mergeable())
                    .put("read_by_peft", info.readByPeft());
            ArrayNode parameters = node.putArray("parameters");
            info.parameters()
                    .forEach(key -> parameters
                            .addObject()
                            .put("name", key.name())
                            .put("default", key.defaultValue())
                            .put("description", key.description()));
        }
        return array;
    }
}
