package io.lorica.serve.registry;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.io.InputStream;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.Objects;

/** The numbered scripts that make a registry's tables; what a database has had is written in it. */
final class Migrations {
    /** In order; a script that was released is never changed, the next one changes what it made. */
    private static final List<String> SCRIPTS = List.of("1-adapters.sql");

    private Migrations() {}

    /** Brings a database to the newest form. Runs in the caller's transaction, which excludes others. */
    static void run(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute("CREATE TABLE IF NOT EXISTS lorica_migrations (number INTEGER PRIMARY KEY)");
            int done = done(statement);
            if (done > SCRIPTS.size()) {
                throw new LoricaException.Internal(
                        "the registry has form " + done + ", but this Lorica knows forms up to " + SCRIPTS.size()
                                + "; use the newer Lorica that wrote it");
            }
            for (int number = done + 1; number <= SCRIPTS.size(); number++) {
                for (String command : script(SCRIPTS.get(number - 1)).split(";")) {
                    if (!command.isBlank()) {
                        statement.execute(command);
                    }
                }
                statement.execute("INSERT INTO lorica_migrations (number) VALUES (" + number + ")");
            }
        }
    }

    private static int done(Statement statement) throws SQLException {
        try (ResultSet rows = statement.executeQuery("SELECT COALESCE(MAX(number), 0) FROM lorica_migrations")) {
            rows.next();
            return rows.getInt(1);
        }
    }

    /** Without its comments, which may hold a semicolon. */
    private static String script(String name) {
        try (InputStream in = Objects.requireNonNull(Migrations.class.getResourceAsStream(name), name)) {
            return new String(in.readAllBytes(), UTF_8).replaceAll("(?m)^--.*$", "");
        } catch (IOException e) {
            throw new LoricaException.Internal("cannot read " + name + " of this program: " + e, e);
        }
    }
}
