package io.lorica.cli;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options of every command that runs a model. */
final class BaseOptions {

    @Option(
            names = "--model",
            required = true,
            paramLabel = "REF",
            description = "Base model: catalogue name, directory, GGUF file or hub id.")
    @SuppressWarnings("NullAway.Init")
    String model;

    @Option(names = "--adapter", paramLabel = "DIR", description = "Directory of an adapter to put on it.")
    @Nullable
    Path adapter;

    @Option(
            names = "--allow-partial",
            description = "Take an adapter of which only a part matches the model; the rest is listed.")
    boolean allowPartial;

    @Option(names = "--dtype", description = "What the base computes in: float32, bfloat16, float16 or float64.")
    @Nullable
    String dtype;

    @Option(
            names = "--threads",
            paramLabel = "N",
            description = "Threads of the tensor library (default: its own choice).")
    int threads;
}
