package io.lorica.adapter;

import io.lorica.model.BaseModel;
import java.util.SequencedMap;

/** One adapter on one base model: its configuration, its part on every site, and what else it trains. */
public final class Adapter implements AutoCloseable {
    private final BaseModel model;
    private final SequencedMap<String, SiteAdapter> sites;

    Adapter(BaseModel model, SequencedMap<String, SiteAdapter> sites) {
        this.model = model;
        this.sites = sites;
    }

    public BaseModel model() {
        return model;
    }

    /** Parts by site name, in the order of the forward pass. */
    public SequencedMap<String, SiteAdapter> sites() {
        return sites;
    }

    @Override
    public void close() {
        sites.values().forEach(SiteAdapter::close);
    }
}
