package io.lorica.serve.registry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.tensor.LoricaException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SqliteRegistryTest extends RegistryContract {
    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    @Override
    String url() {
        return "sqlite:" + folder.resolve("registry.db");
    }

    @RepeatedTest(20)
    void open_newFileBySeveralAtOnce_makesItOnce() throws Exception {
        String url = "sqlite:" + folder.resolve("new.db");
        CyclicBarrier together = new CyclicBarrier(4);
        try (ExecutorService openers = Executors.newFixedThreadPool(4)) {
            List<Future<Integer>> sizes = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                sizes.add(openers.submit(() -> {
                    together.await();
                    try (AdapterRegistry registry = AdapterRegistry.open(url)) {
                        return registry.list().size();
                    }
                }));
            }
            for (Future<Integer> size : sizes) {
                assertThat(size.get()).isZero();
            }
        }
    }

    @Test
    void open_fileOfANewerLorica_isRefused() throws SQLException {
        try (Connection connection = DriverManager.getConnection("jdbc:" + url());
                Statement statement = connection.createStatement()) {
            statement.execute("INSERT INTO lorica_migrations (number) VALUES (999)");
        }
        assertThatThrownBy(() -> AdapterRegistry.open(url()))
                .isInstanceOf(LoricaException.Internal.class)
                .hasMessageContaining("999");
    }

    @Test
    void open_fileThatIsNoDatabase_isRefused() throws Exception {
        Path file = Files.writeString(folder.resolve("notes.txt"), "these are no tables at all\n".repeat(100));
        assertThatThrownBy(() -> AdapterRegistry.open("sqlite:" + file))
                .isInstanceOf(LoricaException.Internal.class)
                .hasMessageContaining("notes.txt");
    }

    @ParameterizedTest
    @ValueSource(strings = {"registry.db", "sqlite:", "jdbc:mysql://host/db", "sqlite:a.db?synchronous=OFF", ""})
    void open_otherUrl_isRefused(String url) {
        assertThatThrownBy(() -> AdapterRegistry.open(url)).isInstanceOf(LoricaException.BadInput.class);
    }

    @Test
    void open_unreachablePostgres_saysWhereAndHidesThePassword() {
        assertThatThrownBy(() -> AdapterRegistry.open("jdbc:postgresql://127.0.0.1:1/lorica?user=u&password=secret"))
                .isInstanceOf(LoricaException.Internal.class)
                .hasMessageContaining("127.0.0.1:1/lorica")
                .hasMessageNotContaining("secret");
    }
}
