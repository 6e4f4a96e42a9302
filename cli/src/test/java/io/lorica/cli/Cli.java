package io.lorica.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;

/**
 * One run of the program inside the test's process.
 *
 * @param code the exit code
 * @param out all of standard output
 * @param err all of standard error
 */
record Cli(int code, String out, String err) {

    static Cli run(String... arguments) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        int code = Main.run(arguments, new PrintStream(out, true, UTF_8), new PrintStream(err, true, UTF_8));
        return new Cli(code, out.toString(UTF_8), err.toString(UTF_8));
    }
}
