package io.lorica.cli;

import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Locale;

/** Entry of the program {@code lorica}. */
public final class Main {
    private Main() {}

    public static void main(String[] arguments) {
        Locale.setDefault(Locale.ROOT); // numbers read the same for people and programs everywhere
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        PrintStream err = new PrintStream(System.err, true, StandardCharsets.UTF_8);
        int code = run(arguments, out, err);
        out.flush();
        err.flush();
        System.exit(code);
    }

    /**
     * Runs one command in this process.
     *
     * @param out where results go
     * @param err where progress, warnings and errors go
     * @return the exit code: 0 success, 1 failed work, 2 wrong use
     */
    public static int run(String[] arguments, PrintStream out, PrintStream err) {
        return Commands.all(new Console(out, err)).execute(arguments);
    }
}
