package io.lorica.cli;

import io.lorica.bench.Peer;
import io.lorica.model.ModelStore;
import io.lorica.tensor.AtomicFile;
import io.lorica.tensor.DType;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import picocli.CommandLine.Option;

/** What the side-by-side benchmarks have in common: the base model, and the peer's Python. */
final class BenchOptions {

    @Option(names = "--model", defaultValue = "smollm2-135m-instruct", description = "Base model.")
    @SuppressWarnings("NullAway.Init")
    String model;

    @Option(names = "--python", defaultValue = "python3", description = "The peer's interpreter.")
    @SuppressWarnings("NullAway.Init")
    Path python;

    @Option(names = "--peers", defaultValue = "bench/peers", description = "Folder of the peer programs.")
    @SuppressWarnings("NullAway.Init")
    Path peers;

    @Option(names = "--json", description = "One JSON object.")
    boolean json;

    Peer peer(String script) {
        return new Peer(python, peers.resolve(script));
    }

    /** This program as a command line, for processes that it starts. */
    static List<String> lorica() {
        List<String> command = new ArrayList<>();
        command.add(ProcessHandle.current().info().command().orElse("java"));
        command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), Main.class.getName()));
        return command;
    }

    /** Gives {@code work} the model as a Hugging Face directory, which both sides read, and deletes it afterwards. */
    <T> T onExported(ModelStore store, DType type, Function<Path, T> work) throws IOException {
        Path directory = Files.createTempDirectory("lorica-bench-model");
        try {
            Path exported = directory.resolve("model");
            store.export(model, exported, type);
            return work.apply(exported);
        } finally {
            AtomicFile.deleteTree(directory);
        }
    }
}
