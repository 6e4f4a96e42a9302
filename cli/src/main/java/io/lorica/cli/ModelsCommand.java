package io.lorica.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code lorica models}: what its children have in common is only the word. */
@Command(
        name = "models",
        header = "List, obtain, inspect and export base models.",
        description =
                "A model is named by REF: a name of the catalogue, a Hugging Face directory, a GGUF file, or a hub id"
                        + " such as owner/name.",
        footer = {"", "Example: lorica models list"})
final class ModelsCommand implements Runnable {

    @Spec
    @SuppressWarnings("NullAway.Init")
    CommandSpec spec;

    @Override
    public void run() {
        throw new ParameterException(
                spec.commandLine(),
                "models needs one of " + String.join(", ", spec.subcommands().keySet()));
    }
}
