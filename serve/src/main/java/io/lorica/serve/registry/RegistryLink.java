package io.lorica.serve.registry;

import io.lorica.serve.store.AdapterStore;
import io.lorica.serve.store.Registrar;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Names;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Keeps a store like a registry: what is registered can be asked for, what is removed cannot, whoever did it. Changes of
 * this process are in the registry before their method returns; those of others are seen by asking for the registry's
 * version at an interval. While the registry cannot be reached, what is known is served on.
 *
 * <p>The store must hold nothing else. Safe for use by several threads.
 */
public final class RegistryLink implements Registrar, AutoCloseable {
    private static final System.Logger LOG = System.getLogger(RegistryLink.class.getName());

    private final AdapterRegistry registry;
    private final AdapterStore store;
    private final Locations locations;
    private final ReentrantLock lock = new ReentrantLock();
    private final Map<String, RegisteredAdapter> known = new TreeMap<>();
    private final Thread watch;
    private long seen = -1;

    private RegistryLink(AdapterRegistry registry, AdapterStore store, Locations locations, Duration every) {
        this.registry = registry;
        this.store = store;
        this.locations = locations;
        this.watch = Thread.ofPlatform().daemon().name("lorica-registry").unstarted(() -> watch(every));
    }

    /**
     * The store has what is registered when this returns; nothing is loaded.
     *
     * @param registry stays the caller's, as do the store and the locations; all to be closed after this
     * @param every how often to look for the changes of others
     */
    public static RegistryLink start(
            AdapterRegistry registry, AdapterStore store, Locations locations, Duration every) {
        RegistryLink link = new RegistryLink(registry, store, locations, every);
        link.refresh();
        link.watch.start();
        return link;
    }

    @Override
    public void add(String name, Path folder) {
        RegisteredAdapter adapter = locations.describe(name, new Location.Folder(folder));
        lock.lock();
        try {
            store.add(name, locations.source(adapter));
            try {
                Registrar.prove(store, name);
                if (!registry.add(adapter)) {
                    throw new LoricaException.BadInput("an adapter named '" + name
                            + "' is registered already; remove it first or choose another name");
                }
            } catch (RuntimeException e) {
                store.remove(name);
                throw e;
            }
            known.put(name, adapter);
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void remove(String name) {
        lock.lock();
        try {
            if (!registry.remove(name)) {
                throw new LoricaException.NotFound(
                        "no adapter named '" + name + "' is registered" + Names.didYouMean(name, known.keySet()));
            }
            forget(name);
        } finally {
            lock.unlock();
        }
    }

    /** Takes over what has changed in the registry since it was last looked at. */
    void refresh() {
        lock.lock();
        try {
            long version = registry.version();
            if (version == seen) {
                return;
            }
            Map<String, RegisteredAdapter> now = new TreeMap<>();
            registry.list().forEach(adapter -> now.put(adapter.name(), adapter));
            known.keySet().stream()
                    .filter(name -> !now.containsKey(name))
                    .toList()
                    .forEach(this::forget);
            now.forEach((name, adapter) -> {
                if (!adapter.equals(known.put(name, adapter))) {
                    store.put(name, locations.source(adapter));
                }
            });
            seen = version;
        } finally {
            lock.unlock();
        }
    }

    private void forget(String name) {
        if (known.remove(name) != null) {
            store.remove(name);
        }
    }

    private void watch(Duration every) {
        boolean failing = false;
        while (true) {
            try {
                Thread.sleep(every);
                refresh();
                failing = false;
            } catch (InterruptedException _) {
                return;
            } catch (LoricaException e) {
                if (!failing) {
                    LOG.log(System.Logger.Level.WARNING, "serving on without news of the registry: " + e.getMessage());
                }
                failing = true;
            }
        }
    }

    /** Looks no more; the store keeps what it has. */
    @Override
    public void close() {
        watch.interrupt();
        try {
            watch.join();
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }
}
