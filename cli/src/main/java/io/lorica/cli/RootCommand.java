package io.lorica.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** {@code lorica} itself: only help, version and the option that all commands share. */
@Command(
        name = "lorica",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        scope = ScopeType.INHERIT,
        header = "Low-rank adaptation for the JVM: train, compare and merge LoRA-family adapters.",
        footer = {"", "Exit codes: 0 success, 1 failed work, 2 wrong use.", "Example: lorica quickstart"})
final class RootCommand implements Runnable {

    @Option(names = "--verbose", scope = ScopeType.INHERIT, description = "With an error, show where in the program.")
    boolean verbose;

    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it
    CommandSpec spec;

    private final Console console;

    RootCommand(Console console) {
        this.console = console;
    }

    @Override
    public void run() {
        console.note(spec.commandLine().getUsageMessage());
        throw new ParameterException(spec.commandLine(), "no command given");
    }
}
