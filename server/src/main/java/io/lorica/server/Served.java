package io.lorica.server;

import io.lorica.serve.store.AdapterStore;
import io.lorica.serve.store.BlendSpec;
import io.lorica.server.access.Tenant;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Names;
import java.util.LinkedHashSet;
import java.util.SequencedSet;
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

    /** What a tenant may name: the base first, then the adapters, sorted. */
    SequencedSet<String> names(Tenant tenant) {
        SequencedSet<String> names = new LinkedHashSet<>();
        names.add(base);
        names.addAll(store.names());
        names.removeIf(name -> !tenant.mayUse(name));
        return names;
    }

    /**
     * Which adapters a name stands for; none for the base. What a tenant may not use does not exist for it.
     *
     * @throws LoricaException.NotFound where there is none of that name; it suggests the nearest
     */
    BlendSpec spec(String model, Tenant tenant) {
        SequencedSet<String> names = names(tenant);
        if (model.equals(base) && names.contains(base)) {
            return new BlendSpec(new TreeMap<>());
        }
        BlendSpec spec = parse(model);
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

    private static BlendSpec parse(String model) {
        try {
            return BlendSpec.parse(model);
        } catch (LoricaException.BadInput e) {
            throw new LoricaException.BadInput("request: key 'model': " + e.getMessage());
        }
    }
}
