package io.lorica.serve.store;

import io.lorica.adapter.Adapter;
import io.lorica.adapter.Fingerprint;
import io.lorica.adapter.LoadOptions;
import io.lorica.adapter.Provenance;
import io.lorica.model.BaseModel;
import io.lorica.serve.mix.Blend;
import io.lorica.serve.mix.ServedAdapter;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Memory;
import io.lorica.tensor.Names;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Adapters in PEFT's folders, read when first asked for and kept within a budget of memory: when it is full, those that
 * nobody uses leave, the longest unused first. They can be added and removed while requests run; what runs keeps what it
 * began with. Safe for use by several threads; files are read on the thread that asks.
 */
public final class AdapterStore implements AutoCloseable {
    private static final String CONFIG = "adapter_config.json";

    private final BaseModel model;
    private final long budget;
    private final ReentrantLock lock = new ReentrantLock();
    private final Map<String, Entry> entries = new TreeMap<>();
    private @Nullable Fingerprint fingerprint;
    private long clock;
    private long bytes;
    private long hits;
    private long loads;
    private long evictions;

    /**
     * @param model the base; must be closed after this
     * @param budget most bytes of native memory for adapters
     */
    public AdapterStore(BaseModel model, long budget) {
        this.model = model;
        this.budget = budget;
    }

    /**
     * Makes every folder in a directory known that holds an {@code adapter_config.json}, by its name. Nothing is loaded.
     *
     * @return how many there are
     */
    public int addAll(Path directory) {
        List<Path> folders;
        try (Stream<Path> children = Files.list(directory)) {
            folders = children.filter(child -> Files.isRegularFile(child.resolve(CONFIG)))
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw new LoricaException.NotFound(directory + " cannot be listed ("
                    + e.getClass().getSimpleName() + "); name a directory that holds one folder per adapter");
        }
        folders.forEach(folder -> add(folder.getFileName().toString(), folder));
        return folders.size();
    }

    /**
     * Makes one adapter known. Its configuration is read now, its weights when it is first asked for.
     *
     * @throws LoricaException.BadInput where the name is none or is taken, or the configuration is malformed
     */
    public void add(String name, Path folder) {
        BlendSpec.requireName(name);
        add(Entry.of(name, folder));
    }

    /**
     * Makes one adapter known, of which nothing is read until it is first asked for.
     *
     * @throws LoricaException.BadInput where the name is none or is taken
     */
    public void add(String name, AdapterSource source) {
        BlendSpec.requireName(name);
        add(new Entry(name, source));
    }

    private void add(Entry entry) {
        lock.lock();
        try {
            if (entries.putIfAbsent(entry.name, entry) != null) {
                throw new LoricaException.BadInput("an adapter named '" + entry.name
                        + "' is served already; unload it first or choose another name");
            }
        } finally {
            lock.unlock();
        }
    }

    /**
     * Makes one adapter known, in the place of another of that name if there is one: from here on it is what the name
     * means, while requests that use the other one go on with it.
     *
     * @throws LoricaException.BadInput where the name is none, or the configuration is malformed
     */
    public void put(String name, Path folder) {
        BlendSpec.requireName(name);
        put(Entry.of(name, folder));
    }

    /** The same for an adapter of which nothing is read until it is first asked for. */
    public void put(String name, AdapterSource source) {
        BlendSpec.requireName(name);
        put(new Entry(name, source));
    }

    private void put(Entry entry) {
        lock.lock();
        try {
            Entry before = entries.put(entry.name, entry);
            if (before != null) {
                before.removed = true;
                freeIfUnused(before);
            }
        } finally {
            lock.unlock();
        }
    }

    /**
     * Takes an adapter out. Requests that use it end with it; its memory is free when the last one has.
     *
     * @throws LoricaException.NotFound where there is none of that name
     */
    public void remove(String name) {
        lock.lock();
        try {
            Entry entry = entry(name);
            entries.remove(name);
            entry.removed = true;
            freeIfUnused(entry);
        } finally {
            lock.unlock();
        }
    }

    /** The adapters that can be asked for, sorted. */
    public List<String> names() {
        lock.lock();
        try {
            return List.copyOf(entries.keySet());
        } finally {
            lock.unlock();
        }
    }

    /** The same adapters with what is known of each, sorted by name. */
    public List<AdapterState> states() {
        lock.lock();
        try {
            return entries.values().stream().map(Entry::state).toList();
        } finally {
            lock.unlock();
        }
    }

    public StoreStats stats() {
        lock.lock();
        try {
            int loaded = (int) entries.values().stream()
                    .filter(entry -> entry.adapter != null)
                    .count();
            return new StoreStats(entries.size(), loaded, bytes, budget, hits, loads, evictions);
        } finally {
            lock.unlock();
        }
    }

    /**
     * Brings the adapters of a blend into memory, where they stay until the lease is closed.
     *
     * @throws LoricaException.NotFound where one of them is not known
     * @throws LoricaException.Incompatible where one of them does not fit the base, or two replace the same weight
     * @throws LoricaException.Busy where the adapters in use leave no room in the budget
     */
    public Lease acquire(BlendSpec spec) {
        List<Entry> held = new ArrayList<>();
        try {
            List<Blend.Part> parts = new ArrayList<>();
            spec.weights().forEach((name, weight) -> {
                Entry entry = pin(name);
                held.add(entry);
                parts.add(new Blend.Part(load(entry), weight));
            });
            Blend blend = new Blend(parts);
            blend.requireNoConflict();
            return new Lease(blend, () -> release(held));
        } catch (RuntimeException e) {
            release(held);
            throw e;
        }
    }

    private Entry entry(String name) {
        Entry entry = entries.get(name);
        if (entry == null) {
            throw new LoricaException.NotFound(
                    "no adapter named '" + name + "' is served" + Names.didYouMean(name, entries.keySet()));
        }
        return entry;
    }

    private Entry pin(String name) {
        lock.lock();
        try {
            Entry entry = entry(name);
            entry.leases++;
            entry.lastUse = ++clock;
            return entry;
        } finally {
            lock.unlock();
        }
    }

    private ServedAdapter load(Entry entry) {
        entry.loading.lock();
        try {
            Optional<ServedAdapter> present = present(entry);
            return present.isPresent() ? present.get() : keep(entry, read(entry));
        } finally {
            entry.loading.unlock();
        }
    }

    private Optional<ServedAdapter> present(Entry entry) {
        lock.lock();
        try {
            hits += entry.adapter == null ? 0 : 1;
            return Optional.ofNullable(entry.adapter);
        } finally {
            lock.unlock();
        }
    }

    private ServedAdapter read(Entry entry) {
        requireBase(entry);
        Path folder = entry.source.folder();
        LoadOptions options =
                Provenance.read(folder).isPresent() ? LoadOptions.STRICT.withBase(fingerprint()) : LoadOptions.STRICT;
        AdapterLoadEvent event = new AdapterLoadEvent();
        event.begin();
        Adapter loaded = Adapter.load(model, folder, options);
        entry.describe(loaded.config());
        ServedAdapter adapter = ServedAdapter.of(entry.name, loaded);
        event.adapter = entry.name;
        event.bytes = adapter.bytes();
        event.commit();
        return adapter;
    }

    private void requireBase(Entry entry) {
        Optional<Fingerprint> base = entry.source.base();
        if (base.isPresent() && !base.get().equals(fingerprint())) {
            throw new LoricaException.Incompatible("adapter '" + entry.name + "' was trained on weights " + base.get()
                    + ", but this base has weights " + fingerprint()
                    + "; ask a server of that base (a quantized or merged copy is another one)");
        }
    }

    private Fingerprint fingerprint() {
        lock.lock();
        try {
            Fingerprint known = fingerprint;
            if (known == null) {
                known = Fingerprint.of(model);
                fingerprint = known;
            }
            return known;
        } finally {
            lock.unlock();
        }
    }

    private ServedAdapter keep(Entry entry, ServedAdapter adapter) {
        lock.lock();
        try {
            makeRoom(adapter.bytes());
            if (bytes + adapter.bytes() > budget) {
                adapter.close();
                throw new LoricaException.Busy("adapter '" + entry.name + "' needs " + Memory.format(adapter.bytes())
                        + ", but adapters in use hold " + Memory.format(bytes) + " of the budget of "
                        + Memory.format(budget) + "; try again later, or start with a larger budget");
            }
            entry.adapter = adapter;
            bytes += adapter.bytes();
            loads++;
            return adapter;
        } finally {
            lock.unlock();
        }
    }

    private void makeRoom(long wanted) {
        List<Entry> idle = entries.values().stream()
                .filter(entry -> entry.adapter != null && entry.leases == 0)
                .sorted(Comparator.comparingLong(entry -> entry.lastUse))
                .toList();
        for (Entry entry : idle) {
            if (bytes + wanted <= budget) {
                return;
            }
            free(entry);
            evictions++;
        }
    }

    private void release(List<Entry> held) {
        lock.lock();
        try {
            for (Entry entry : held) {
                entry.leases--;
                freeIfUnused(entry);
            }
        } finally {
            lock.unlock();
        }
    }

    private void freeIfUnused(Entry entry) {
        if (entry.removed && entry.leases == 0) {
            free(entry);
        }
    }

    private void free(Entry entry) {
        ServedAdapter adapter = entry.adapter;
        if (adapter != null) {
            bytes -= adapter.bytes();
            adapter.close();
            entry.adapter = null;
        }
    }

    /** Frees every adapter. No lease may be open. */
    @Override
    public void close() {
        lock.lock();
        try {
            entries.values().forEach(this::free);
            entries.clear();
        } finally {
            lock.unlock();
        }
    }
}
