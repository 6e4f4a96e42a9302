package io.lorica.serve.store;

import io.lorica.tensor.LoricaException;
import java.nio.file.Path;

/** Adds and removes adapters while requests run; what it has done, it has done for good. */
public interface Registrar {

    /**
     * Adds an adapter that was loaded once and found well.
     *
     * @throws LoricaException.BadInput where the name is none or is taken
     * @throws LoricaException where the adapter cannot be served; nothing has changed then
     */
    void add(String name, Path folder);

    /** @throws LoricaException.NotFound where there is none of that name */
    void remove(String name);

    /** In a store alone: until the process ends. */
    static Registrar of(AdapterStore store) {
        return new Registrar() {
            @Override
            public void add(String name, Path folder) {
                store.add(name, folder);
                try {
                    prove(store, name);
                } catch (RuntimeException e) {
                    store.remove(name);
                    throw e;
                }
            }

            @Override
            public void remove(String name) {
                store.remove(name);
            }
        };
    }

    /** Loads an adapter of a store, unless there is no room now: then it is read again when it is asked for. */
    static void prove(AdapterStore store, String name) {
        try {
            store.acquire(BlendSpec.parse(name)).close();
        } catch (LoricaException.Busy _) {
            // Read and checked all the same.
        }
    }
}
