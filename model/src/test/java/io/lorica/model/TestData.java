package io.lorica.model;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;

/** Real data that is not in the repository; tests that need it skip where it is absent. */
public final class TestData {
    private TestData() {}

    /** A file under {@code LORICA_DATA} (property or environment) or {@code ../shared/data} beside the repository. */
    public static Path require(String relative) {
        Path found = Stream.of(
                        System.getProperty("LORICA_DATA"),
                        System.getenv("LORICA_DATA"),
                        "../shared/data",
                        "../../shared/data",
                        "../../../shared/data")
                .filter(Objects::nonNull)
                .map(root -> Path.of(root).resolve(relative))
                .filter(Files::exists)
                .findFirst()
                .orElse(null);
        Assumptions.assumeTrue(
                found != null,
                relative + " is not here; set LORICA_DATA to the folder of shared data to run this test");
        return Objects.requireNonNull(found);
    }
}
