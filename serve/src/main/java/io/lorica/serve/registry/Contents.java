package io.lorica.serve.registry;

import com.fasterxml.jackson.databind.JsonNode;
import io.lorica.adapter.Adapter;
import io.lorica.adapter.AdapterConfig;
import io.lorica.adapter.Fingerprint;
import io.lorica.adapter.Provenance;
import io.lorica.tensor.Hashing;
import io.lorica.tensor.LoricaException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * What an adapter's folder holds. Its hash is the SHA-256 over name and SHA-256 of each of {@link Adapter#FILES} that
 * exists, in that order; other files (a README, checkpoints) do not count, since nobody serves them.
 *
 * @param base the weights it was trained on; empty where there is no {@code lorica.json}
 * @param rank key {@code r} of its settings; 0 where there is none
 * @param bytes of the files that count
 */
record Contents(String sha256, Optional<Fingerprint> base, int rank, long bytes) {

    /** @throws LoricaException where it is no adapter's folder */
    static Contents of(Path folder) {
        AdapterConfig config = AdapterConfig.read(folder);
        JsonNode rank = config.toJson().path("r");
        return new Contents(
                sha256(folder), Provenance.read(folder).map(Provenance::baseFingerprint), rank.asInt(0), bytes(folder));
    }

    static String sha256(Path folder) {
        Hashing hashing = new Hashing();
        for (String name : Adapter.FILES) {
            Path file = folder.resolve(name);
            if (Files.isRegularFile(file)) {
                hashing.add(name).add(Hashing.sha256(file));
            }
        }
        return hashing.hex();
    }

    private static long bytes(Path folder) {
        long bytes = 0;
        for (String name : Adapter.FILES) {
            try {
                Path file = folder.resolve(name);
                bytes += Files.isRegularFile(file) ? Files.size(file) : 0;
            } catch (IOException e) {
                throw new LoricaException.Internal("cannot read " + folder.resolve(name) + ": " + e, e);
            }
        }
        return bytes;
    }
}
