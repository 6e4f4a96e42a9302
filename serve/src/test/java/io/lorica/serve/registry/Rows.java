package io.lorica.serve.registry;

import io.lorica.adapter.Fingerprint;
import io.lorica.tensor.Hashing;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Optional;

/** Rows for registries, of adapters that lie nowhere. */
final class Rows {
    private Rows() {}

    /** The same number gives the same row. */
    static RegisteredAdapter row(String name, int number) {
        return new RegisteredAdapter(
                name,
                number % 2 == 0
                        ? new Location.Bucket("adapters", "team/" + name)
                        : new Location.Folder(Path.of("adapters", name)),
                Hashing.sha256("files" + number),
                number % 3 == 0 ? Optional.empty() : Optional.of(new Fingerprint(Hashing.sha256("base" + number))),
                number,
                1_000_000_000_000L + number,
                Instant.ofEpochMilli(1_800_000_000_000L + number));
    }
}
