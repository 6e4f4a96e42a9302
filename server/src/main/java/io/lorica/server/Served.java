package io.lorica.server;

import io.lorica.serve.store.AdapterStore;
import io.lorica.serve.store.BlendSpec;
import io.lorica.serve.store.Lease;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Names;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;

/**
 * The models that clients can name: the base, each adapter, and blends of adapters.
 *
 * @param base the base's own name
 */
record Served(String base, AdapterStore store) {

    /** @throws LoricaException.BadInput where an adapter has the base's name */
    Served {
        if (store.names().contains(base)) {
            throw new LoricaException.BadInput("an adapter is named '" + base
                    + "' like the base itself; rename its folder, or choose another name for the base");
        }
    }

    /** The base first, then the adapters, sorted. */
    List<String> names() {
        List<String> names = new ArrayList<>();
        names.add(base);
        names.addAll(store.names());
        return names;
    }

    /**
     * The adapters that a name stands for, held in memory; none for the base.
     *
     * @throws LoricaException.NotFound where there is none of that name; it suggests the nearest
     */
    Lease acquire(String model) {
        return store.acquire(spec(model));
    }

    /** Which adapters a name stands for. */
    BlendSpec spec(String model) {
        if (model.equals(base)) {
            return new BlendSpec(new TreeMap<>());
        }
        List<String> names = names();
        BlendSpec spec;
        try {
            spec = BlendSpec.parse(model);
        } catch (LoricaException.BadInput e) {
            throw new LoricaException.BadInput("request: key 'model': " + e.getMessage());
        }
        for (String name : spec.weights().keySet()) {
            if (!names.contains(name)) {
                throw new LoricaException.NotFound("request: key 'model' names '" + name + "', which is not served"
                        + Names.didYouMean(name, names) + " (GET /v1/models lists what is)");
            }
            if (name.equals(base)) {
                throw new LoricaException.BadInput("request: key 'model' blends the base '" + base
                        + "' with adapters, but they act on it anyway; name the adapters only");
            }
        }
        return spec;
    }
}
