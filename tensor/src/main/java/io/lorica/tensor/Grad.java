package io.lorica.tensor;

import org.bytedeco.pytorch.AutoGradMode;

/** Turns the recording of gradients on or off for this thread until it is closed. */
public final class Grad implements AutoCloseable {
    private final AutoGradMode mode;

    private Grad(boolean enabled) {
        mode = new AutoGradMode(enabled);
        mode.retainReference();
    }

    public static Grad enabled() {
        return new Grad(true);
    }

    public static Grad disabled() {
        return new Grad(false);
    }

    @Override
    public void close() {
        mode.deallocate();
    }
}
