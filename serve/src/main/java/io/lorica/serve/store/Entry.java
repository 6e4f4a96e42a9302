package io.lorica.serve.store;

import io.lorica.adapter.AdapterConfig;
import io.lorica.serve.mix.ServedAdapter;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/** One adapter of a store. The store's lock guards the fields; {@link #loading} is held while its files are read. */
final class Entry {
    final String name;
    final AdapterSource source;
    final ReentrantLock loading = new ReentrantLock();

    @Nullable
    ServedAdapter adapter;

    /** What its configuration says, once that has been read. */
    private volatile Summary summary = Summary.UNKNOWN;

    int leases;
    long lastUse;
    boolean removed;

    Entry(String name, AdapterSource source) {
        this.name = name;
        this.source = source;
    }

    /** Reads the configuration of a folder of this machine. */
    static Entry of(String name, Path folder) {
        Entry entry = new Entry(name, AdapterSource.of(folder));
        entry.describe(AdapterConfig.read(folder));
        return entry;
    }

    void describe(AdapterConfig config) {
        int rank = config.toJson().path("r").asInt(0);
        summary = new Summary(
                Optional.of(config.method().info().name()), rank > 0 ? OptionalInt.of(rank) : OptionalInt.empty());
    }

    AdapterState state() {
        ServedAdapter held = adapter;
        if (held == null) {
            return new AdapterState(name, summary.method, summary.rank, AdapterState.Use.DISK, 0);
        }
        AdapterState.Use use = leases > 0 ? AdapterState.Use.USED : AdapterState.Use.LOADED;
        return new AdapterState(name, summary.method, summary.rank, use, held.bytes());
    }

    /** No more of a configuration than a list shows: there may be thousands. */
    private record Summary(Optional<String> method, OptionalInt rank) {
        static final Summary UNKNOWN = new Summary(Optional.empty(), OptionalInt.empty());
    }
}
