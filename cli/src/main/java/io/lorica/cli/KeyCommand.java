package io.lorica.cli;

import io.lorica.server.access.Keys;
import io.lorica.tensor.LoricaException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code lorica key}: a new API key, and what the server's file of keys holds of it. */
@Command(
        name = "key",
        header = "Draw an API key for lorica serve.",
        description = "The key goes to standard output, once and nowhere else; the entry for the file of keys (--keys),"
                + " which holds only its SHA-256, to standard error. See docs/security.md.",
        footer = {"", "Example: lorica key --tenant acme 2>> keys.yaml"})
final class KeyCommand implements Callable<Integer> {

    @Option(names = "--tenant", required = true, paramLabel = "NAME", description = "Whose key it is.")
    @SuppressWarnings("NullAway.Init")
    String tenant;

    private final Console console;

    KeyCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        if (!tenant.matches("[A-Za-z0-9][A-Za-z0-9._-]{0,63}")) {
            throw new LoricaException.BadInput(
                    "--tenant is '" + tenant + "', but must be up to 64 letters, digits, '.', '_' and '-'");
        }
        String key = Keys.draw();
        console.note("  - tenant: " + tenant + "\n    sha256: " + Keys.hash(key));
        console.print(key);
        return 0;
    }
}
