package io.lorica.serve.registry;

import io.lorica.tensor.LoricaException;
import java.util.List;
import java.util.Optional;

/**
 * Which adapters there are, kept in a database that several servers may share. A change is on disk when its method
 * returns; a process that dies before loses at most the change it was about to make. Safe for use by several threads.
 */
public interface AdapterRegistry extends AutoCloseable {

    /**
     * Opens a registry, making or migrating its tables where needed.
     *
     * @param url {@code sqlite:FILE} for one machine, or {@code jdbc:postgresql://host/database}
     * @throws LoricaException.BadInput where it is neither
     * @throws LoricaException.Internal where the database cannot be reached, or a newer Lorica wrote it
     */
    static AdapterRegistry open(String url) {
        return SqlRegistry.open(Database.parse(url));
    }

    /** All adapters, sorted by name. */
    List<RegisteredAdapter> list();

    Optional<RegisteredAdapter> find(String name);

    /** @return whether it was added: false where the name is taken, and then nothing has changed */
    boolean add(RegisteredAdapter adapter);

    /** Adds an adapter, in the place of another of that name if there is one. */
    void put(RegisteredAdapter adapter);

    /** @return whether there was one */
    boolean remove(String name);

    /** Grows with every change; equal values mean that nothing has changed. */
    long version();

    @Override
    void close();
}
