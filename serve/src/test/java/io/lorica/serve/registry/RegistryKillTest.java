package io.lorica.serve.registry;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A writer is killed again and again with SIGKILL: what it said to be written is there, and the file is sound. */
class RegistryKillTest {
    private static final int ROUNDS = 5;

    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    /** What was acknowledged over all rounds, and the one number whose change may or may not have happened. */
    private final Set<Integer> present = new HashSet<>();

    private final Set<Integer> unsure = new HashSet<>();
    private int last = -1;

    @Test
    void add_writerKilledAgainAndAgain_losesNothingAcknowledged() throws Exception {
        RandomGenerator random = RandomGenerator.of("L64X128MixRandom");
        Path file = folder.resolve("registry.db");
        for (int round = 0; round < ROUNDS; round++) {
            writeAndKill("sqlite:" + file, 5 + random.nextInt(120));
            requireSound(file);
            try (AdapterRegistry registry = AdapterRegistry.open("sqlite:" + file)) {
                requireAll(registry);
            }
        }
    }

    private void writeAndKill(String url, int changes) throws IOException, InterruptedException {
        Process writer = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-XX:TieredStopAtLevel=1",
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        System.getProperty("java.class.path"),
                        RegistryWriter.class.getName(),
                        url,
                        Integer.toString(last + 2))
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (BufferedReader lines = new BufferedReader(new InputStreamReader(writer.getInputStream(), UTF_8))) {
            for (int i = 0; i < changes; i++) {
                acknowledged(lines.readLine());
            }
            writer.toHandle().destroyForcibly(); // Process.destroyForcibly would close its output unread
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                acknowledged(line);
            }
        }
        assertThat(writer.waitFor()).isEqualTo(128 + 9);
        unsure.add(last + 1);
        if (last % 3 == 2) {
            unsure.add(last - 1);
        }
    }

    private void acknowledged(String line) {
        assertThat(line).as("the writer ended by itself").isNotNull().matches("[+-]\\d+");
        int number = Integer.parseInt(line.substring(1));
        if (line.startsWith("+")) {
            present.add(number);
            last = number;
        } else {
            present.remove(number);
        }
    }

    private void requireAll(AdapterRegistry registry) {
        Map<Integer, RegisteredAdapter> found = new TreeMap<>();
        registry.list().forEach(row -> found.put(Integer.parseInt(row.name().substring(1)), row));
        found.forEach((number, row) -> assertThat(row).isEqualTo(Rows.row("a" + number, number)));
        Set<Integer> lost = new HashSet<>(present);
        lost.removeAll(found.keySet());
        lost.removeAll(unsure);
        assertThat(lost).as("acknowledged, but lost").isEmpty();
        Set<Integer> risen = new HashSet<>(found.keySet());
        risen.removeAll(present);
        risen.removeAll(unsure);
        assertThat(risen).as("there, but never added, or removed").isEmpty();
    }

    private static void requireSound(Path file) throws SQLException {
        try (Connection connection = DriverManager.getConnection("jdbc:sqlite:" + file);
                Statement statement = connection.createStatement();
                ResultSet result = statement.executeQuery("PRAGMA integrity_check")) {
            assertThat(result.next()).isTrue();
            assertThat(result.getString(1)).isEqualTo("ok");
        }
    }
}
