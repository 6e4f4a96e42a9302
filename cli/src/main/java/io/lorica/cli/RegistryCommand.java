package io.lorica.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code lorica registry}: the adapters that servers share. */
@Command(
        name = "registry",
        header = "Add, list and remove the adapters that servers share.",
        description = "Running servers follow within a second.",
        footer = {"", "Example: lorica registry add --registry sqlite:adapters.db adapters/tone s3://models/law"})
final class RegistryCommand implements Runnable {

    @Spec
    @SuppressWarnings("NullAway.Init")
    CommandSpec spec;

    @Override
    public void run() {
        throw new ParameterException(
                spec.commandLine(),
                "registry needs one of " + String.join(", ", spec.subcommands().keySet()));
    }
}
