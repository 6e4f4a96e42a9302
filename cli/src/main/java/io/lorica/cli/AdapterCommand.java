package io.lorica.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code lorica adapter}: what its children have in common is only the word. */
@Command(
        name = "adapter",
        header = "Inspect, verify, merge, truncate, convert and prepare adapters.",
        footer = {"", "Example: lorica adapter inspect my-adapter"})
final class AdapterCommand implements Runnable {

    @Spec
    @SuppressWarnings("NullAway.Init")
    CommandSpec spec;

    @Override
    public void run() {
        throw new ParameterException(
                spec.commandLine(),
                "adapter needs one of " + String.join(", ", spec.subcommands().keySet()));
    }
}
