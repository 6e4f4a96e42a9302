package io.lorica.serve.store;

import io.lorica.serve.mix.ServedAdapter;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/** One adapter of a store. The store's lock guards the fields; {@link #loading} is held while its files are read. */
final class Entry {
    final String name;
    final AdapterSource source;
    final ReentrantLock loading = new ReentrantLock();

    @Nullable
    ServedAdapter adapter;

    int leases;
    long lastUse;
    boolean removed;

    Entry(String name, AdapterSource source) {
        this.name = name;
        this.source = source;
    }
}
