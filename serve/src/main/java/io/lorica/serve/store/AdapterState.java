package io.lorica.serve.store;

import java.util.Optional;
import java.util.OptionalInt;

/**
 * An adapter of a store as it is now.
 *
 * @param method absent where its configuration comes from elsewhere and has not been read
 * @param rank that its configuration states for all sites; absent likewise, and where the method has none
 * @param bytes of native memory that it holds
 */
public record AdapterState(String name, Optional<String> method, OptionalInt rank, Use use, long bytes) {

    /** Where an adapter is. */
    public enum Use {
        /** Not in memory. */
        DISK,
        /** In memory. */
        LOADED,
        /** In memory, and requests run with it. */
        USED
    }
}
