package io.lorica.adapter.loraga;

import io.lorica.adapter.Shared;
import io.lorica.adapter.lowrank.Start;
import io.lorica.model.Linear;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import org.bytedeco.pytorch.Tensor;

/** Starts that were made for all sites in one pass over data, until each site takes its own. */
final class Starts implements Shared {
    private final Map<String, Start> waiting = new LinkedHashMap<>();

    /** Takes the start over. */
    void put(Linear site, Start start) {
        waiting.put(site.name(), start);
    }

    /** Hands a site's start over; empty where the pass gave none. */
    Optional<Start> take(Linear site) {
        return Optional.ofNullable(waiting.remove(site.name()));
    }

    @Override
    public SequencedMap<String, Tensor> tensors() {
        return new LinkedHashMap<>(); // the sites' own tensors hold all that is needed
    }

    @Override
    public void close() {
        waiting.values().forEach(start -> {
            start.a().close();
            start.b().close();
        });
    }
}
