package io.lorica.tensor.fused;

import io.lorica.tensor.LoricaException;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * A thread that takes one piece of work at a time. It looks for the next for a moment before it sleeps,
 * since waking up costs as much as a small kernel, and kernels of a layer follow one another closely.
 */
final class Worker {
    private static final int SPINS = 1000;

    private final Thread thread =
            Thread.ofPlatform().daemon().name("lorica-kernel").unstarted(this::work);
    private volatile @Nullable Runnable task;
    private @Nullable Throwable failure;

    void start(Runnable work) {
        task = work;
        if (thread.getState() == Thread.State.NEW) {
            thread.start();
        }
        LockSupport.unpark(thread);
    }

    /** Waits for the work given last, and throws what it threw. */
    void join() {
        for (int spins = 0; task != null; spins++) {
            if (spins < SPINS) {
                Thread.onSpinWait();
            } else {
                LockSupport.parkNanos(10_000);
            }
        }
        Throwable thrown = failure;
        failure = null;
        if (thrown != null) {
            throw new LoricaException.Internal("a kernel failed: " + thrown, thrown);
        }
    }

    private void work() {
        while (true) {
            Runnable next = task;
            for (int spins = 0; next == null; spins++) {
                if (spins < SPINS) {
                    Thread.onSpinWait();
                } else {
                    LockSupport.park(this);
                }
                next = task;
            }
            try {
                next.run();
            } catch (Throwable e) { // whoever waits must hear of it
                failure = e;
            }
            task = null;
        }
    }
}
