package io.lorica.serve.registry;

import io.lorica.adapter.Fingerprint;
import io.lorica.serve.store.BlendSpec;
import io.lorica.tensor.LoricaException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Optional;

/**
 * One row of a registry.
 *
 * @param name under which clients ask for it
 * @param location where its files lie
 * @param sha256 of its files, see {@link Contents}; what is loaded has this hash or is refused
 * @param base the weights it was trained on; empty where its files do not say
 * @param rank as its settings state it; 0 for a method without one
 * @param bytes of its files
 * @param added when, to the millisecond
 */
public record RegisteredAdapter(
        String name,
        Location location,
        String sha256,
        Optional<Fingerprint> base,
        int rank,
        long bytes,
        Instant added) {

    public RegisteredAdapter {
        BlendSpec.requireName(name);
        if (!sha256.matches("[0-9a-f]{64}")) {
            throw new LoricaException.BadInput("registry: adapter '" + name + "' has sha256 '" + sha256
                    + "', which is not 64 hexadecimal digits; register it again");
        }
        added = added.truncatedTo(ChronoUnit.MILLIS);
    }
}
