package io.lorica.cli;

import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Names;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/** The one place where a failure becomes a message and an exit code. */
final class Errors {
    private final Console console;
    private final RootCommand root;

    Errors(Console console, RootCommand root) {
        this.console = console;
        this.root = root;
    }

    /** Arguments that picocli refuses: what is wrong, the nearest known name, where the help is. */
    int wrongUse(ParameterException e, String[] arguments) {
        CommandLine command = e.getCommandLine();
        String message = e instanceof UnmatchedArgumentException unmatched
                ? unmatched(unmatched.getUnmatched().getFirst(), command)
                : lowerFirst(String.valueOf(e.getMessage()));
        console.note("lorica: " + message);
        console.note("see: " + command.getCommandSpec().qualifiedName() + " --help");
        return CommandLine.ExitCode.USAGE;
    }

    int failed(Exception e, CommandLine command, ParseResult result) {
        int code = 1;
        if (e instanceof ParameterException wrong) {
            return wrongUse(wrong, new String[0]);
        }
        if (e instanceof LoricaException known) {
            console.note("lorica: " + known.getMessage());
            code = known.kind().exitCode();
        } else {
            console.note("lorica: unexpected " + e.getClass().getSimpleName() + ": " + e.getMessage()
                    + " (run again with --verbose to see where)");
        }
        if (root.verbose) {
            e.printStackTrace(console.err());
        }
        return code;
    }

    private static String unmatched(String argument, CommandLine command) {
        List<String> known = new ArrayList<>();
        if (argument.startsWith("-")) {
            command.getCommandSpec().options().forEach(option -> known.addAll(List.of(option.names())));
            String name = argument.contains("=") ? argument.substring(0, argument.indexOf('=')) : argument;
            return "unknown option '" + name + "'" + Names.didYouMean(name, known);
        }
        known.addAll(command.getSubcommands().keySet());
        return known.isEmpty()
                ? "unexpected argument '" + argument + "'"
                : "unknown command '" + argument + "'" + Names.didYouMean(argument, known);
    }

    private static String lowerFirst(String message) {
        return message.isEmpty() ? message : Character.toLowerCase(message.charAt(0)) + message.substring(1);
    }
}
