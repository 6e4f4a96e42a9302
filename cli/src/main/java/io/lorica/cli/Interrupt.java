package io.lorica.cli;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Turns Ctrl-C into a checkpoint: asks a run to stop after its step, and lets the process live until that is written.
 * From making one to closing it.
 */
final class Interrupt implements AutoCloseable {
    private static final long PATIENCE_SECONDS = 120;

    private final CountDownLatch finished = new CountDownLatch(1);
    private final Thread hook;

    Interrupt(Runnable stop, Console console) {
        hook = new Thread(() -> {
            console.note("\nstopping after this step …");
            stop.run();
            try {
                if (!finished.await(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                    console.note("no checkpoint after " + PATIENCE_SECONDS + " s, giving up");
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        Runtime.getRuntime().addShutdownHook(hook);
    }

    /** To be called when everything is written and said. */
    @Override
    public void close() {
        finished.countDown();
        if (!hook.isAlive()) {
            try {
                Runtime.getRuntime().removeShutdownHook(hook);
            } catch (IllegalStateException _) {
                // The process is going down already, by the hook's own doing.
            }
        }
    }
}
