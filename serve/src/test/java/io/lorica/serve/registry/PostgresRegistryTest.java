package io.lorica.serve.registry;

import static io.lorica.serve.registry.Rows.row;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.tensor.LoricaException;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;

/** Runs where {@code LORICA_TEST_POSTGRES} names a database by its JDBC URL; it works in a schema of its own. */
@EnabledIfEnvironmentVariable(
        named = "LORICA_TEST_POSTGRES",
        matches = "jdbc:postgresql:.+",
        disabledReason = "LORICA_TEST_POSTGRES names no PostgreSQL database (jdbc:postgresql://…)")
class PostgresRegistryTest extends RegistryContract {
    private static final String SERVER = System.getenv().getOrDefault("LORICA_TEST_POSTGRES", "");

    private final String schema = "lorica_test_" + System.nanoTime();

    PostgresRegistryTest() throws SQLException {
        execute("CREATE SCHEMA " + schema);
    }

    private static void execute(String command) throws SQLException {
        try (Connection connection = DriverManager.getConnection(SERVER);
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
        return SERVER + (SERVER.contains("?") ? "&" : "?") + "currentSchema=" + schema + "&ApplicationName=" + schema;
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
