package io.lorica.tensor;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Files that tests compare with. */
final class Fixtures {
    private Fixtures() {}

    /** A file written by {@code bench/peers/make_tensor_fixtures.py}. */
    static Path file(String name) {
        return Path.of("src/test/resources/fixtures", name);
    }

    /** A file of the shared test data, where this machine has it. */
    static Optional<Path> shared(String name) {
        return Stream.of(
                        System.getProperty("LORICA_DATA"),
                        System.getenv("LORICA_DATA"),
                        "../../shared/data",
                        "../shared/data")
                .filter(Fixtures::present)
                .map(root -> Path.of(root).resolve(name))
                .filter(Files::exists)
                .findFirst();
    }

    private static boolean present(@Nullable String root) {
        return root != null && !root.isEmpty();
    }
}
