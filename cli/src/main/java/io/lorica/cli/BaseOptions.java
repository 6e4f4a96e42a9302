package io.lorica.cli;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** A base model, perhaps with one adapter on it. */
final class BaseOptions {

    @Mixin
    @SuppressWarnings("NullAway.Init")
    ModelOptions base;

    @Option(names = "--adapter", paramLabel = "DIR", description = "Directory of an adapter to put on it.")
    @Nullable
    Path adapter;

    @Option(
            names = "--allow-partial",
            description = "Take an adapter of which only a part matches the model; the rest is listed.")
    boolean allowPartial;
}
