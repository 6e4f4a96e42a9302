package io.lorica.cli;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Turns Ctrl-C and SIGTERM into an orderly end: asks whoever works to stop, and lets the process live until that is
 * done. From making one to closing it.
 */
final class Interrupt implements AutoCloseable {
    private static final long PATIENCE_SECONDS = 120;

    private final CountDownLatch finished = new CountDownLatch(1);
    private final Thread hook;

    /** For training: the end is a checkpoint. */
    Interrupt(Runnable stop, Console console) {
        this(stop, console, "stopping after this step …", "no checkpoint");
    }

    /**
     * @param stop must return soon
     * @param stopping what is said then
     * @param missing what is said to be missing when nothing ends in time
     */
    Interrupt(Runnable stop, Console console, String stopping, String missing) {
        hook = new Thread(() -> {
            console.note("\n" + stopping);
            stop.run();
            try {
                if (!finished.await(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                    console.note(missing + " after " + PATIENCE_SECONDS + " s, giving up");
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
