package io.lorica.serve.store;

import io.lorica.serve.mix.Blend;

/** Adapters that stay in memory until this is closed, which whoever acquired it must do once. */
public final class Lease implements AutoCloseable {
    private final Blend blend;
    private final Runnable release;

    Lease(Blend blend, Runnable release) {
        this.blend = blend;
        this.release = release;
    }

    public Blend blend() {
        return blend;
    }

    @Override
    public void close() {
        release.run();
    }
}
