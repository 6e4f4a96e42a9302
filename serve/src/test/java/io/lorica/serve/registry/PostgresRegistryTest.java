package io.lorica.serve.registry;

import static io.lorica.serve.registry.Rows.row;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.opentest4j.TestAbortedException;

/** On the database that {@code LORICA_TEST_POSTGRES} names by its JDBC URL, else on a server of its own; each test in its own schema. */
class PostgresRegistryTest extends RegistryContract {
    @SuppressWarnings("NullAway.Init")
    private static String server;

    private static Optional<LocalPostgres> own = Optional.empty();

    private final String schema = "lorica_test_" + System.nanoTime();

    @BeforeAll
    static void start() throws IOException, InterruptedException {
        String named = System.getenv("LORICA_TEST_POSTGRES");
        own = named == null ? local() : Optional.empty();
        assumeThat(named != null || own.isPresent())
                .as("PostgreSQL is not installed, and LORICA_TEST_POSTGRES names no database (jdbc:postgresql://…)")
                .isTrue();
        server = named != null ? named : own.orElseThrow().url();
    }

    private static Optional<LocalPostgres> local() throws InterruptedException {
        try {
            return LocalPostgres.start();
        } catch (IOException e) {
            throw new TestAbortedException("PostgreSQL is installed, but does not start here", e);
        }
    }

    @AfterAll
    static void stop() throws IOException, InterruptedException {
        if (own.isPresent()) {
            own.get().stop();
        }
    }

    PostgresRegistryTest() throws SQLException {
        execute("CREATE SCHEMA " + schema);
    }

    private static void execute(String command) throws SQLException {
        try (Connection connection = DriverManager.getConnection(server);
                Statement statement = connection.createStatement()) {
            statement.execute(command);
        }
    }

    @AfterEach
    void drop() throws SQLException {
        execute("DROP SCHEMA " + schema + " CASCADE");
    }

    @Override
    String url() {
        return server + (server.contains("?") ? "&" : "?") + "currentSchema=" + schema + "&ApplicationName=" + schema;
    }

    @Test
    void add_afterTheServerDroppedTheConnection_connectsAgain() throws SQLException {
        try (AdapterRegistry registry = AdapterRegistry.open(url())) {
            execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '" + schema + "'");
            assertThat(registry.add(row("tone", 1))).isTrue();
        }
    }

    @Test
    void list_afterAFailure_worksAgain() throws SQLException {
        try (AdapterRegistry registry = AdapterRegistry.open(url())) {
            execute("ALTER TABLE " + schema + ".adapters RENAME TO away");
            assertThatThrownBy(() -> registry.put(row("tone", 1))).isInstanceOf(LoricaException.Internal.class);
            execute("ALTER TABLE " + schema + ".away RENAME TO adapters");
            registry.put(row("tone", 1));
            assertThat(registry.list()).containsExactly(row("tone", 1));
            assertThat(registry.version()).isEqualTo(1);
        }
    }
}
